"""Paths in git are bytes; here they are text that can be converted back to those bytes.

Valid, printable UTF-8 stays as it is. Every other byte, and `%` itself, is percent-encoded (RFC 3986, section 2.1).
"""

import re

_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})")


def decode_path(raw: bytes) -> str:
    r"""Convert bytes: `b"caf\\\\xe9"` becomes `caf%E9`; `b"100%"` becomes `100%25`; `"naïve"` stays."""
    text = raw.decode("utf-8", "surrogateescape")
    if text.isprintable() and "%" not in text:
        return text
    return "".join(c if c.isprintable() and c != "%" else _percent_encode(c) for c in text)


def encode_path(path: str) -> bytes:
    """Convert a path back to the bytes that `decode_path` was given."""
    pieces = _PERCENT.split(path)
    return b"".join(bytes([int(piece, 16)]) if odd % 2 else piece.encode() for odd, piece in enumerate(pieces))


def _percent_encode(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogateescape"))
