"""Sign a ledger with another key from now on. The old key vouches for the new one, unless it is lost."""

from muniment.facts import canonical
from muniment.ledger import record_kinds, record_objects
from muniment.store.store import LedgerRecord, Store


def record_key_exchange(store: Store, reason: str, now: str, *, lost: bool) -> int:
    """Record the reason, and exchange the key. Returns the record's position. Raises StoreError or LedgerError."""

    def make_record(old: str, new: str) -> LedgerRecord:
        statement = record_objects.PersonStatement("", reason, "", record_objects.draw_salt())
        digest = canonical.digest_value(statement)
        return record_kinds.KeyExchangeRecord(time=now, object=digest, old_key=old, new_key=new, lost=lost), (
            statement,
        )

    return store.exchange_key(make_record, lost=lost)
