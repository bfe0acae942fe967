"""Go on with a ledger that its copy outside, or the cache of the home, knows otherwise: a person looked at it."""

from muniment.facts import canonical
from muniment.home.files import FilesHome
from muniment.ledger import entries, objects
from muniment.workflows.record import forget


def reconcile(home: FilesHome, reason: str, now: str) -> int:
    """Record why, and go on from what is here; the entry's place. Raises HomeError or LedgerError."""
    log = home.log()
    size, seen = log.head().size, log.seen_outside()
    said = objects.Said("", reason, "", objects.salt())
    home.put(canonical.encode(said))
    entry = entries.Reconciliation(time=now, object=canonical.digest_of(said), size=size, seen=seen)
    number = log.reconcile(entries.encode(entry))
    forget(home)
    return number
