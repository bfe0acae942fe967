"""Reads the record for people: what lies beside an entry, or that it was erased."""

from collections.abc import Sequence
from typing import Any

import msgspec

from muniment.errors import HomeError
from muniment.server.installation import home


def beside(digest: str, shape: Any) -> Any:
    """The object with that digest, as `shape`; as a sentence if it was erased. Raises HomeError if it is missing."""
    return beside_all([digest], shape)[digest]


def beside_all(digests: Sequence[str], shape: Any) -> dict[str, Any]:
    """The same for several, in two queries."""
    found, erased = home().get_all(digests), home().erased(digests)
    return {digest: _read(digest, found, erased, shape) for digest in digests}


def _read(digest: str, found: dict[str, bytes], erased: dict[str, str], shape: Any) -> Any:
    if digest in found:
        return msgspec.json.decode(found[digest], type=shape)
    if digest in erased:
        return f"It was erased: {erased[digest]}"
    raise HomeError(f"the object {digest} is missing", "Restore it from a backup.")
