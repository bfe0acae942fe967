"""Go on with a ledger that its copy outside, or a cache over it, knows otherwise: a person looked at it."""

from muniment.facts import canonical
from muniment.ledger import entries, objects
from muniment.store.store import LedgerRecord, Store


def reconcile(store: Store, reason: str, now: str) -> int:
    """Record why, and go on from what is here; the record's position. Raises StoreError or LedgerError."""

    def make(size: int, copy_size: int) -> LedgerRecord:
        said = objects.PersonStatement("", reason, "", objects.salt())
        digest = canonical.digest_of(said)
        return entries.ReconciliationRecord(time=now, object=digest, ledger_size=size, copy_size=copy_size), (said,)

    return store.reconcile(make)
