"""Exchanges of a ledger's key: its present key, starting from an older one, and its former keys.

Next to the tiles, `exchange/1`, `exchange/2`, ... are the checkpoints whose last entry names the new key. The old key
and the new one both sign such a checkpoint, so the old one vouches for the new one; a lost key vouches for none.
"""

from muniment.errors import LedgerError
from muniment.ledger import record_kinds, tiles
from muniment.ledger.checkpoints import read_checkpoint, read_unverified_checkpoint
from muniment.ledger.tiles import ReadFile

_REMEDY = "Restore the newest copy of it; docs/reference/ledger.md says how."


def exchange_path(number: int) -> str:
    """Path of the checkpoint of an exchange, counted from 1."""
    return f"exchange/{number}"


def list_exchange_paths(read: ReadFile) -> tuple[str, ...]:
    """Paths of the checkpoints of all exchanges, oldest first."""
    found: list[str] = []
    while read(exchange_path(len(found) + 1)) is not None:
        found.append(exchange_path(len(found) + 1))
    return tuple(found)


def find_current_key(read: ReadFile, size: int, public: str) -> str:
    """Key that signs a ledger of `size` entries, starting from the trusted key `public`.

    The result is that key, or one it vouched for. Raises LedgerError for an exchange that is not in this ledger.
    """
    key = public.strip()
    for path in list_exchange_paths(read):
        data = read(path) or b""
        if not _is_signed(data, key):
            continue  # between other keys, or after one that was lost
        record = _read_record(read, size, data, path)
        if record.old_key == key and _is_signed(data, record.new_key):
            key = record.new_key
    return key


def find_older_keys(read: ReadFile, size: int) -> tuple[str, ...]:
    """Former keys of a ledger, oldest first, by its entries, which its present key signs.

    Raises LedgerError for an exchange that is not in this ledger.
    """
    return tuple(_read_record(read, size, read(path) or b"", path).old_key for path in list_exchange_paths(read))


def _is_signed(data: bytes, key: str) -> bool:
    try:
        read_checkpoint(data, key)
    except LedgerError:
        return False
    return True


def _read_record(read: ReadFile, size: int, data: bytes, path: str) -> record_kinds.KeyExchangeRecord:
    """The last entry of a checkpoint."""
    head = read_unverified_checkpoint(data)
    if not 0 < head.size <= size or tiles.compute_root(read, size, head.size) != head.root:
        raise LedgerError(f"{path} is not of this ledger", _REMEDY)
    found = record_kinds.decode_record(tiles.read_entry(read, size, head.size - 1), head.size - 1)
    if not isinstance(found, record_kinds.KeyExchangeRecord):
        raise LedgerError(f"{path} does not end with the exchange of a key", _REMEDY)
    return found
