"""What opens and closes incidents. Each opening and closing is an entry, in the transaction of the incident itself."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

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
from muniment.server.record.entering import enter

What = dict[str, Any]


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
    about = {"kind": kind, "product": product, "subject": subject[:300], "closed": None}
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
    entry = entries.IncidentOpened(
        time=moments.now(), object=canonical.digest_of(beside), incident=kind, deadline=moments.text(deadline)
    )
    return Incident.objects.create(
        kind=kind,
        product=product,
        subject=subject,
        told=told,
        link=link,
        involved=involved,
        deadline=deadline,
        entry_id=enter(entry, (beside,)).pk,
    )


def close_incident(incident: Incident, how: str, cause: str, by: Person | None = None) -> None:
    """It came to its end; nothing happens if it had already. Raises KeyError for an end that is none."""
    if how not in HOWS:
        raise KeyError(how)
    with transaction.atomic():
        row = Incident.objects.select_for_update(of=("self",)).get(pk=incident.pk)
        if row.closed is not None:
            return
        beside = objects.Closing(by.slug if by is not None else "", cause, objects.salt())
        person = objects.commitment(by.slug, beside.salt) if by is not None else ""
        digest, opened = canonical.digest_of(beside), row.entry.object
        entry = entries.IncidentClosed(
            time=moments.now(), object=digest, incident=row.kind, opened=opened, how=how, person=person
        )
        enter(entry, (beside,))
        row.closed, row.how, row.cause, row.closer = timezone.now(), how, cause, by
        row.save(update_fields=["closed", "how", "cause", "closer"])


def check_handling(what: What) -> None:
    """ValueError for one that is closed, or that this person, or nobody, may close by hand."""
    row = Incident.objects.filter(pk=what["id"], closed=None).first()
    if row is None:
        raise ValueError("It was closed already.")
    if what["do"] == "take":
        return
    if not row.what.by_hand:
        raise ValueError(f"Nobody closes this by hand. {row.what.next}")
    if what["how"] not in HOWS or not HOWS[what["how"]].by_hand:
        raise ValueError("Say how it ended.")
    if not what["cause"].strip():
        raise ValueError("Say what caused it: whoever looks at it later was not there.")


def handle(what: What, asker: str, second: str | None) -> None:
    """Take it on, or close it."""
    row, person = Incident.objects.get(pk=what["id"]), Person.objects.get(slug=asker)
    if what["do"] == "take":
        Incident.objects.filter(pk=row.pk).update(owner=person)
        return
    if asker in row.involved:
        raise ValueError("You had a hand in it: another person has to review and close it.")
    close_incident(row, what["how"], what["cause"].strip(), person)
