"""Files of stored objects: the place of a digest, and the content of a file."""

import re
import zlib
from typing import TYPE_CHECKING

from muniment.errors import StoreError

if TYPE_CHECKING:
    pass


_DIGEST = re.compile(r"sha256:([0-9a-f]{2})([0-9a-f]{62})")


_LARGEST = 256 << 20  # bytes of an object


def is_digest(text: str) -> bool:
    """Whether a text is a digest."""
    return _DIGEST.fullmatch(text) is not None


def split_digest(digest: str) -> re.Match[str]:
    """First two digits of a digest, and the others. Raises StoreError if it is none."""
    match = _DIGEST.fullmatch(digest)
    if match is None:
        raise StoreError(f"{digest!r} is not a digest", "A digest is sha256: and 64 hexadecimal digits.")
    return match


def object_path(digest: str) -> str:
    """Path of an object below the home. Raises StoreError for text that is no digest."""
    match = split_digest(digest)
    return f"objects/{match[1]}/{match[2]}"


def decompress_object(data: bytes) -> bytes | None:
    """Decompressed data, None if it is damaged or larger than any object."""
    reader = zlib.decompressobj()
    try:
        found = reader.decompress(data, _LARGEST)
    except zlib.error:
        return None
    return found if reader.eof and not reader.unused_data else None
