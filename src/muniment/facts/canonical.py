"""One value has one spelling in bytes, and so one digest: RFC 8785 (JSON Canonicalization Scheme), restricted.

RFC 8785 restricted to objects, arrays, strings, true, false, null and integers from -(2**53 - 1) to 2**53 - 1. Within
that, every byte is the RFC's: keys sorted by UTF-16 code units, no white space, its escapes, UTF-8, no lone surrogates.
Other numbers are refused, because ECMAScript would round them or spell them in its own way. A verifier with any
implementation of RFC 8785 computes the same digests.
"""

import hashlib
import re
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from muniment.errors import NotCanonicalError

LARGEST_INTEGER = 2**53 - 1  # the largest that an ECMAScript number holds exactly, as all below it

T = TypeVar("T")

_REMEDY = "Write the value as docs/reference/ledger.md says (RFC 8785), and sign it again if it is signed."
_ENCODER = msgspec.json.Encoder(order="sorted")  # by code points
_IN_GIVEN_ORDER = msgspec.json.Encoder()
_BEYOND_BMP = re.compile(rb"[\xf0-\xf4]")  # the first byte of a character that UTF-16 spells with two code units


def encode(value: Any) -> bytes:
    """Encode a struct, dict, list, string, integer, bool or None as canonical JSON. Raises NotCanonicalError.

    Structs declare no field for fractions (a test enforces that), so numbers are looked at outside structs alone.
    """
    _refuse_other_numbers(value)
    try:
        data = _ENCODER.encode(value)
    except UnicodeEncodeError as error:
        raise NotCanonicalError("half a surrogate pair has no UTF-8", _REMEDY) from error
    if not data.isascii() and _BEYOND_BMP.search(data):
        return _IN_GIVEN_ORDER.encode(_sort_by_code_units(msgspec.json.decode(data)))
    return data


def decode(data: bytes, shape: type[T] | msgspec.json.Decoder[T]) -> T:
    """Decode the value of that shape in `data`. Raises NotCanonicalError unless `data` is its canonical JSON, byte for
    byte.

    So a key that is named twice, one that the shape does not know, another order or another spelling is refused: two
    readers cannot understand the same signature differently. A decoder stands for a shape that is no class.
    """
    decoder = shape if isinstance(shape, msgspec.json.Decoder) else msgspec.json.Decoder(shape)
    try:
        value = decoder.decode(data)
        _refuse_other_numbers(msgspec.json.decode(data))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotCanonicalError(str(error), _REMEDY) from error
    if encode(value) != data:
        raise NotCanonicalError("it is not in canonical form (RFC 8785), or names a key twice", _REMEDY)
    return value


def refuse_repeated_keys(data: bytes) -> None:
    """Raise NotCanonicalError for JSON that names a key twice: of others' documents no more can be asked."""
    import json  # a push does not need it, and the hook's imports are most of its time

    try:
        json.loads(data.decode(), object_pairs_hook=create_object)
    except (ValueError, RecursionError) as error:
        raise NotCanonicalError(str(error), _REMEDY) from error


def digest_bytes(data: bytes) -> str:
    """Digest data: SHA-256, as `sha256:<64 hexadecimal digits>`."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def digest_value(value: Any) -> str:
    """Digest a value's canonical JSON."""
    return digest_bytes(encode(value))


def _refuse_other_numbers(value: Any) -> None:
    if isinstance(value, Struct | str | bool):
        return
    if isinstance(value, float) or (isinstance(value, int) and abs(value) > LARGEST_INTEGER):
        raise NotCanonicalError(f"the number {value} has no canonical form here", _REMEDY)
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list | tuple):
        return
    for member in value:
        _refuse_other_numbers(member)


def _sort_by_code_units(value: Any) -> Any:
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return {key: _sort_by_code_units(value[key]) for key in keys}
    return [_sort_by_code_units(member) for member in value] if isinstance(value, list) else value


def create_object(pairs: list[tuple[str, Any]]) -> dict[str, object]:
    """An object of JSON, for a reader's `object_pairs_hook`. Raises NotCanonicalError for a key that is named twice."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotCanonicalError("it names a key twice", _REMEDY)
    return found
