"""Go on with a ledger in rows although its copy outside says otherwise: a person looked at it."""

from django.db import transaction

from muniment.facts import canonical
from muniment.ledger import entries, objects, told
from muniment.server.installation import home
from muniment.server.record.models import Entry


def reconcile(reason: str, now: str) -> int:
    """Record why, and go on from what is here; the entry's place. Raises HomeError or LedgerError."""
    with transaction.atomic():
        log = home().log(signs=True)
        size, seen = log.head().size, log.seen_outside()
        said = objects.Said("", reason, "", objects.salt())
        digest = home().put(canonical.encode(said))
        entry = entries.Reconciliation(time=now, object=digest, size=size, seen=seen)
        data = entries.encode(entry)
        place = log.reconcile(data)
        Entry.objects.create(kind=told.kind(entry), time=now, object=digest, data=data, place=place)
    return place
