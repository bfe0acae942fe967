"""Read the objects that entries of the ledger name by digest."""

from typing import TypeVar

from muniment.errors import LedgerError, NotCanonicalError
from muniment.facts import canonical
from muniment.store.store import Store

T = TypeVar("T")

RESTORE = "Restore objects/ from a backup; muniment ledger verify names all that is missing."


def read_object(store: Store, digest: str, shape: type[T]) -> T:
    """The object of an entry. Raises ErasedError, and LedgerError for one that is missing or of another shape."""
    data = store.get_object(digest)
    if data is None:
        raise LedgerError(f"the object {digest} of an entry is missing", RESTORE)
    try:
        return canonical.decode(data, shape)
    except NotCanonicalError as error:
        raise LedgerError(f"the object {digest} is not what its entry says: {error.message}", RESTORE) from error
