"""Reads the record for people: what lies beside an entry, or that it was erased."""

from typing import Any

import msgspec

from muniment.errors import ErasedError, HomeError
from muniment.server.installation import home


def beside(digest: str, shape: Any) -> Any:
    """The object with that digest, as `shape`; as a sentence if it was erased. Raises HomeError if it is missing."""
    try:
        data = home().get(digest)
    except ErasedError as error:
        return error.message
    if data is None:
        raise HomeError(f"the object {digest} is missing", "Restore it from a backup.")
    return msgspec.json.decode(data, type=shape)
