"""Sign a ledger with another key from now on. The old key vouches for the new one, unless it is lost."""

from muniment.facts import canonical
from muniment.ledger import entries, objects
from muniment.store.store import LedgerRecord, Store


def exchange_key(store: Store, reason: str, now: str, *, lost: bool) -> int:
    """Record why, and exchange the key; the record's position. Raises StoreError or LedgerError."""

    def make(old: str, new: str) -> LedgerRecord:
        said = objects.PersonStatement("", reason, "", objects.salt())
        digest = canonical.digest_of(said)
        return entries.KeyExchangeRecord(time=now, object=digest, old_key=old, new_key=new, lost=lost), (said,)

    return store.exchange_key(make, lost=lost)
