"""Compressed streams, read whole: every member of gzip, bzip2 and xz, and nothing after the last one."""

import bz2
import lzma
import zlib
from collections.abc import Callable

_CHUNK = 1 << 16  # a decompressor copies what follows a member: small pieces keep many members linear
_MOST_DICTIONARY = 128 << 20


class StreamError(Exception):
    """A compressed stream cannot be read whole; the text says why."""


def _open_xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MOST_DICTIONARY)


def _open_gzip() -> "zlib._Decompress":
    return zlib.decompressobj(31)


_MACHINES: "tuple[tuple[bytes, Callable[[], zlib._Decompress | bz2.BZ2Decompressor | lzma.LZMADecompressor]], ...]" = (
    (b"\x1f\x8b", _open_gzip),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\0", _open_xz),
)


def is_compressed(content: bytes) -> bool:
    """Whether content begins like a stream that `decompress_stream` reads."""
    return any(content.startswith(sign) for sign, _ in _MACHINES)


def decompress_stream(content: bytes, most: int) -> bytes:
    """Decompress every member of a stream, at most `most` bytes.

    Raises StreamError where it is cut off, damaged, too large, or followed by anything but null bytes.
    """
    parts: list[bytes] = []
    position, left = 0, most
    while position < len(content):
        rest = content[position : position + _CHUNK].lstrip(b"\0")
        if not rest and parts:
            position += _CHUNK
            continue
        position = min(position + _CHUNK, len(content)) - len(rest)
        found, position = _read_member(content, position, left)
        left -= len(found)
        parts.append(found)
    return b"".join(parts)


def _read_member(content: bytes, position: int, most: int) -> tuple[bytes, int]:
    """Read the member that begins at a position; its bytes and the position after it."""
    head = content[position : position + 6]
    machine = next((make() for sign, make in _MACHINES if head.startswith(sign)), None)
    if machine is None:
        raise StreamError("the archive has data after its end")
    parts: list[bytes] = []
    left = most
    while not machine.eof:
        chunk = content[position : position + _CHUNK]
        if not chunk:
            raise StreamError("the archive is cut off")
        position += len(chunk)
        try:
            found = machine.decompress(chunk, left + 1)
        except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError):
            raise StreamError("the archive is damaged") from None
        left -= len(found)
        if left < 0:
            raise StreamError(f"the archive has more than {most} bytes")
        parts.append(found)
    return b"".join(parts), position - len(machine.unused_data)
