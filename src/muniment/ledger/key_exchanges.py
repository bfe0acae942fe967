"""Exchanges of a ledger's key: which key signs it now, for whoever has an older one, and which keys signed it before.

Beside the tiles, `exchange/1`, `exchange/2`, ... are the checkpoints whose last entry names the new key. The old key
and the new one both sign such a checkpoint, so the old one vouches for the new one; one that is lost vouches for none.
"""

from muniment.errors import LedgerError
from muniment.ledger import entries, tiles
from muniment.ledger.checkpoints import read_checkpoint, read_unverified
from muniment.ledger.tiles import Read

_REMEDY = "Restore the newest copy of it; docs/reference/ledger.md says how."


def exchange_path(number: int) -> str:
    """Where the checkpoint of an exchange is, counted from 1."""
    return f"exchange/{number}"


def exchange_paths(read: Read) -> tuple[str, ...]:
    """Where the checkpoints of all exchanges are, oldest first."""
    found: list[str] = []
    while read(exchange_path(len(found) + 1)) is not None:
        found.append(exchange_path(len(found) + 1))
    return tuple(found)


def find_current_key(read: Read, size: int, public: str) -> str:
    """The key that signs a ledger of `size` entries, for whoever trusts `public`: that one, or one it vouched for.

    Raises LedgerError for an exchange that is not in this ledger.
    """
    key = public.strip()
    for path in exchange_paths(read):
        data = read(path) or b""
        if not _is_signed(data, key):
            continue  # between other keys, or after one that was lost
        record = _read_record(read, size, data, path)
        if record.old_key == key and _is_signed(data, record.new_key):
            key = record.new_key
    return key


def find_older_keys(read: Read, size: int) -> tuple[str, ...]:
    """The keys that signed a ledger before, oldest first: as its entries say, for whose root its present key signs.

    Raises LedgerError for an exchange that is not in this ledger.
    """
    return tuple(_read_record(read, size, read(path) or b"", path).old_key for path in exchange_paths(read))


def _is_signed(data: bytes, key: str) -> bool:
    try:
        read_checkpoint(data, key)
    except LedgerError:
        return False
    return True


def _read_record(read: Read, size: int, data: bytes, path: str) -> entries.KeyExchangeRecord:
    """The entry by which a checkpoint ends."""
    head = read_unverified(data)
    if not 0 < head.size <= size or tiles.root(read, size, head.size) != head.root:
        raise LedgerError(f"{path} is not of this ledger", _REMEDY)
    found = entries.decode(tiles.entry(read, size, head.size - 1), head.size - 1)
    if not isinstance(found, entries.KeyExchangeRecord):
        raise LedgerError(f"{path} does not end with the exchange of a key", _REMEDY)
    return found
