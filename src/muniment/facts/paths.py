"""Paths in git are bytes; here they are text that gives those bytes back.

Valid, printable UTF-8 stays as it is. Every other byte, and `%` itself, is percent-encoded (RFC 3986, section 2.1).
"""

import re

_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})")


def from_bytes(raw: bytes) -> str:
    """`b"caf\\xe9"` becomes `caf%E9`; `b"100%"` becomes `100%25`; `"naïve"` stays."""
    text = raw.decode("utf-8", "surrogateescape")
    if text.isprintable() and "%" not in text:
        return text
    return "".join(c if c.isprintable() and c != "%" else _encoded(c) for c in text)


def to_bytes(path: str) -> bytes:
    """The bytes that `from_bytes` was given."""
    pieces = _PERCENT.split(path)
    return b"".join(bytes([int(piece, 16)]) if odd % 2 else piece.encode() for odd, piece in enumerate(pieces))


def _encoded(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogateescape"))
