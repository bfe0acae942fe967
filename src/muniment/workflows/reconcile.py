"""Go on with a ledger that its copy outside, or a cache over it, knows otherwise: a person looked at it."""

from muniment.facts import canonical
from muniment.ledger import record_kinds, record_objects
from muniment.store.store import LedgerRecord, Store


def record_reconciliation(store: Store, reason: str, now: str) -> int:
    """Record the reason, and go on from the ledger that is here. Returns the record's position. Raises StoreError or
    LedgerError.
    """

    def make_record(size: int, copy_size: int) -> LedgerRecord:
        statement = record_objects.PersonStatement("", reason, "", record_objects.draw_salt())
        digest = canonical.digest_value(statement)
        return record_kinds.ReconciliationRecord(time=now, object=digest, ledger_size=size, copy_size=copy_size), (
            statement,
        )

    return store.append_reconciliation(make_record)
