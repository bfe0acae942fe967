"""Opens and closes incidents. Each opening and closing is a record, in the transaction of the incident itself."""

from collections.abc import Iterable
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from muniment.access.roles import Role
from muniment.facts import canonical
from muniment.ledger import record_kinds, record_objects
from muniment.server import moments
from muniment.server.incidents.kinds import INCIDENT_KINDS, RESOLUTIONS
from muniment.server.incidents.models import Incident
from muniment.server.people.messages import find_role_holders, notify_people
from muniment.server.people.models import Person
from muniment.server.products.models import Product
from muniment.server.records.record_writing import append_record


def open_incident(
    kind: str,
    product: Product | None,
    subject: str,
    summary: str,
    *,
    link: str = "",
    involved: Iterable[str] = (),
    extra_roles: tuple[Role, ...] = (),
) -> Incident:
    """Open the incident of that kind about `subject`, such as `commit:0f3c...`, unless it is open already. Returns
    it.

    `summary` is one sentence for people, `link` a path of ours, `involved` ids of people who may not close it.
    People with the security role there are notified, and those with `extra_roles`. Raises KeyError for an unknown
    kind.
    """
    about = {"kind": kind, "product": product, "subject": subject[:300], "closed_at": None}
    found = Incident.objects.filter(**about).first()
    if found is not None:
        return found
    try:
        with transaction.atomic():
            found = _create_incident(kind, product, subject[:300], summary, link, sorted(involved))
    except IntegrityError:  # another opened the same at this moment
        return Incident.objects.get(**about)
    people = find_role_holders((Role.SECURITY, *extra_roles), product)
    place = f" for {product.name}" if product is not None else ""
    notify_people(people, f"Incident opened{place}: {summary}", f"/incidents/{found.pk}")
    return found


def _create_incident(
    kind: str, product: Product | None, subject: str, summary: str, link: str, involved: list[str]
) -> Incident:
    deadline = timezone.now() + timedelta(days=INCIDENT_KINDS[kind].days)
    details = record_objects.Incident(
        product.slug if product is not None else "", subject, summary, record_objects.draw_salt()
    )
    entry = record_kinds.IncidentOpenedRecord(
        time=moments.current_moment(),
        object=canonical.digest_value(details),
        incident_kind=kind,
        due=moments.format_moment(deadline),
    )
    return Incident.objects.create(
        kind=kind,
        product=product,
        subject=subject,
        summary=summary,
        link=link,
        involved_people=involved,
        due_at=deadline,
        record_id=append_record(entry, (details,)).pk,
    )


def close_incident(incident: Incident, resolution: str, cause: str, closed_by: Person | None = None) -> None:
    """Close an incident, unless it is closed already. Raises KeyError for an unknown resolution."""
    if resolution not in RESOLUTIONS:
        raise KeyError(resolution)
    with transaction.atomic():
        # Locked and read again: two that close it at the same moment would append two records.
        row = Incident.objects.select_for_update(of=("self",)).get(pk=incident.pk)
        if row.closed_at is not None:
            return
        details = record_objects.IncidentClosing(
            closed_by.pk if closed_by is not None else "", cause, record_objects.draw_salt()
        )
        observed = record_kinds.IncidentResolvedRecord(
            time=moments.current_moment(),
            object=canonical.digest_value(details),
            incident_kind=row.kind,
            opening=row.record.details_digest,
            resolution=resolution,
        )
        entry = _make_closed_record(closed_by, observed, details.salt) if closed_by is not None else observed
        row.closing_record_id = append_record(entry, (details,)).pk
        row.closed_at, row.resolution, row.cause, row.closed_by = timezone.now(), resolution, cause, closed_by
        row.save(update_fields=["closed_at", "resolution", "cause", "closed_by", "closing_record"])


def _make_closed_record(
    person: Person, ended: record_kinds.IncidentResolvedRecord, salt: str
) -> record_kinds.IncidentClosedRecord:
    """Record of the same end as the act of a person: another kind of record, which the web writes."""
    return record_kinds.IncidentClosedRecord(
        time=ended.time,
        object=ended.object,
        incident_kind=ended.incident_kind,
        opening=ended.opening,
        resolution=ended.resolution,
        person=record_objects.make_commitment(person.pk, salt),
    )
