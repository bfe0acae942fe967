"""The ledger's Ed25519 key, in the text forms of C2SP signed notes, so that others' tools read it.

Private: `PRIVATE+KEY+<name>+<hash>+<base64 of 0x01 and the seed>`.
Public: `<name>+<hash>+<base64 of 0x01 and the key>`.
The hash is the first four bytes of SHA-256(name, newline, 0x01, public key), in hexadecimal (C2SP signed-note).
"""

import base64
import hashlib
import re
from functools import lru_cache
from typing import NamedTuple

from muniment.errors import ParseError

LOG, COSIGNER = 1, 4  # kinds of signature
_NAME = re.compile(r"[^\s+]+")


def generate_key(name: str) -> tuple[str, str]:
    """A new private key and its public key, both as text. Raises ParseError for a name with white space or `+`."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if not _NAME.fullmatch(name):
        problem = f"{name!r} cannot name a key: it must have neither white space nor +"
        raise ParseError("key-name", problem, "Name the key by letters, digits and - alone.")
    seed = Ed25519PrivateKey.generate().private_bytes_raw()
    public = _derive_public_bytes(seed)
    return f"PRIVATE+KEY+{name}+{_hash_key(name, LOG, public)}+{_encode_key(LOG, seed)}", format_public_key(
        name, LOG, public
    )


class PublicKey(NamedTuple):
    """A key taken apart: its name, its hash (4 bytes), the kind of signature, and the key itself."""

    name: str
    hash: bytes
    kind: int
    raw: bytes


def derive_public_key(private: str) -> str:
    """Public key of a private one. Raises ParseError if that is not well formed; it never shows the key."""
    found = _parse_private_key(private)
    return format_public_key(found.name, LOG, found.public)


def parse_public_key(text: str) -> PublicKey:
    """A verifier's key: of a log (kind 1), or of a cosigner (kind 4, C2SP tlog-cosignature). Raises ParseError."""
    name, _, rest = text.strip().partition("+")
    hashed, _, encoded = rest.partition("+")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except ValueError:
        raise _wrong_key_error("the public key is not base64") from None
    if not _NAME.fullmatch(name) or len(raw) != 33 or raw[0] not in (LOG, COSIGNER):
        raise _wrong_key_error("this is not the public key of a signed note")
    if hashlib.sha256(name.encode() + b"\n" + raw).hexdigest()[:8] != hashed:
        raise _wrong_key_error("the public key does not have the hash that it bears")
    return PublicKey(name, bytes.fromhex(hashed), raw[0], raw[1:])


def sign_message(private: str, message: bytes) -> bytes:
    """The Ed25519 signature of `message` (64 bytes). Raises ParseError for an invalid key, and never shows it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(_parse_private_key(private).seed).sign(message)


def is_signed_with(key: PublicKey, message: bytes, signature: bytes) -> bool:
    """Whether `signature` is that of `message` by the holder of `key`."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(signature, message)
    except InvalidSignature:
        return False
    return True


class _PrivateKey(NamedTuple):
    name: str
    seed: bytes
    public: bytes


@lru_cache(maxsize=1)  # a push signs twice, and compares the public key at each step: it is derived once
def _parse_private_key(private: str) -> _PrivateKey:
    pieces = private.strip().split("+", 4)
    if len(pieces) != 5 or pieces[:2] != ["PRIVATE", "KEY"] or not _NAME.fullmatch(pieces[2]):
        raise _wrong_key_error("this is not the private key of a signed note")
    name, hashed = pieces[2], pieces[3]
    try:
        raw = base64.b64decode(pieces[4], validate=True)
    except ValueError:
        raise _wrong_key_error("the private key is not base64") from None
    if raw[:1] != bytes([LOG]) or len(raw) != 33:
        raise _wrong_key_error("the private key is not an Ed25519 key")
    public = _derive_public_bytes(raw[1:])
    if _hash_key(name, LOG, public) != hashed:
        raise _wrong_key_error("the private key does not have the hash that it bears")
    return _PrivateKey(name, raw[1:], public)


def _wrong_key_error(problem: str) -> ParseError:
    """Error for a text that is no key of this form. It never shows the key."""
    return ParseError("ledger-key", problem, "Copy the one line of the key's file whole, and nothing around it.")


def format_public_key(name: str, kind: int, raw: bytes) -> str:
    """Text of a public key: of a ledger (`LOG`) or of a witness (`COSIGNER`)."""
    return f"{name}+{_hash_key(name, kind, raw)}+{_encode_key(kind, raw)}"


def _derive_public_bytes(seed: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def _hash_key(name: str, kind: int, raw: bytes) -> str:
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + raw).hexdigest()[:8]


def _encode_key(kind: int, raw: bytes) -> str:
    return base64.b64encode(bytes([kind]) + raw).decode()
