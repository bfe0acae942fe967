"""Opens and closes incidents. Each opening and closing is a record, in the transaction of the incident itself."""

from collections.abc import Iterable
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from muniment.access.roles import Role
from muniment.facts import canonical
from muniment.ledger import entries, objects
from muniment.server import moments
from muniment.server.incidents.kinds import HOWS, KINDS
from muniment.server.incidents.models import Incident
from muniment.server.people.messages import holding, tell
from muniment.server.people.models import Person
from muniment.server.products.models import Product
from muniment.server.records.entering import enter


def open_incident(
    kind: str,
    product: Product | None,
    subject: str,
    told: str,
    *,
    link: str = "",
    involved: Iterable[str] = (),
    loud: tuple[Role, ...] = (),
) -> Incident:
    """The open incident of that kind about `subject`, such as `commit:0f3c...`; opened now unless there is one.

    `told` is one sentence for people, `link` a path of ours, `involved` ids of people who may not close it. Told to
    whoever has the security role there, and `loud` roles. Raises KeyError for a kind that is none.
    """
    about = {"kind": kind, "product": product, "subject": subject[:300], "closed_at": None}
    found = Incident.objects.filter(**about).first()
    if found is not None:
        return found
    try:
        with transaction.atomic():
            found = _opened(kind, product, subject[:300], told, link, sorted(involved))
    except IntegrityError:  # another opened the same at this moment
        return Incident.objects.get(**about)
    people = holding((Role.SECURITY, *loud), product)
    tell(people, f"An incident was opened: {told}", f"/incidents/{found.pk}")
    return found


def _opened(kind: str, product: Product | None, subject: str, told: str, link: str, involved: list[str]) -> Incident:
    deadline = timezone.now() + timedelta(days=KINDS[kind].days)
    beside = objects.Incident(product.slug if product is not None else "", subject, told, objects.salt())
    entry = entries.IncidentOpenedRecord(
        time=moments.now(), object=canonical.digest_of(beside), incident_kind=kind, due=moments.text(deadline)
    )
    return Incident.objects.create(
        kind=kind,
        product=product,
        subject=subject,
        summary=told,
        link=link,
        involved_people=involved,
        due_at=deadline,
        record_id=enter(entry, (beside,)).pk,
    )


def close_incident(incident: Incident, how: str, cause: str, by: Person | None = None) -> None:
    """It came to its end; nothing happens if it had already. Raises KeyError for an end that is none."""
    if how not in HOWS:
        raise KeyError(how)
    with transaction.atomic():
        row = Incident.objects.select_for_update(of=("self",)).get(pk=incident.pk)
        if row.closed_at is not None:
            return
        beside = objects.IncidentClosing(by.pk if by is not None else "", cause, objects.salt())
        observed = entries.IncidentResolvedRecord(
            time=moments.now(),
            object=canonical.digest_of(beside),
            incident_kind=row.kind,
            opening=row.record.details_digest,
            resolution=how,
        )
        entry = _closed_by(by, observed, beside.salt) if by is not None else observed
        row.closing_record_id = enter(entry, (beside,)).pk
        row.closed_at, row.resolution, row.cause, row.closed_by = timezone.now(), how, cause, by
        row.save(update_fields=["closed_at", "resolution", "cause", "closed_by", "closing_record"])


def _closed_by(person: Person, ended: entries.IncidentResolvedRecord, salt: str) -> entries.IncidentClosedRecord:
    """The same end as the act of a person: another kind of record, which the web writes."""
    return entries.IncidentClosedRecord(
        time=ended.time,
        object=ended.object,
        incident_kind=ended.incident_kind,
        opening=ended.opening,
        resolution=ended.resolution,
        person=objects.commitment(person.pk, salt),
    )
