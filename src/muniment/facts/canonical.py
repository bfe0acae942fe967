"""One value has one spelling in bytes, and so one digest.

Canonical JSON here: keys sorted, no white space, UTF-8, shortest escapes. What is digested holds no floating-point
numbers, so two encoders cannot disagree about one.
"""

import hashlib
from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder(order="sorted")


def encode(value: Any) -> bytes:
    """The canonical JSON of a struct, dict, list, string, number or bool."""
    return _ENCODER.encode(value)


def digest(data: bytes) -> str:
    """SHA-256 of `data`, as `sha256:` and 64 hexadecimal digits."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def digest_of(value: Any) -> str:
    """The digest of a value's canonical JSON."""
    return digest(encode(value))
