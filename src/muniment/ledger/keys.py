"""The ledger's Ed25519 key, in the text forms of C2SP signed notes, so that others' tools read it.

Private: `PRIVATE+KEY+<name>+<hash>+<base64 of 0x01 and the seed>`.
Public: `<name>+<hash>+<base64 of 0x01 and the key>`.
The hash is the first four bytes of SHA-256(name, newline, 0x01, public key), in hexadecimal (C2SP signed-note).
"""

import base64
import hashlib
import re

_ED25519 = b"\x01"
_NAME = re.compile(r"[^\s+]+")


def generate(name: str) -> tuple[str, str]:
    """A new private key and its public key, both as text. Raises ValueError for a name with white space or `+`."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot name a key: it must have neither white space nor +")
    seed = Ed25519PrivateKey.generate().private_bytes_raw()
    public = _public_bytes(seed)
    return f"PRIVATE+KEY+{name}+{_hash(name, public)}+{_text(seed)}", _public_text(name, public)


def public_of(private: str) -> str:
    """The public key of a private one. Raises ValueError if that is not well formed; it never shows the key."""
    pieces = private.strip().split("+", 4)
    if len(pieces) != 5 or pieces[:2] != ["PRIVATE", "KEY"] or not _NAME.fullmatch(pieces[2]):
        raise ValueError("this is not the private key of a signed note")
    name, hashed = pieces[2], pieces[3]
    try:
        raw = base64.b64decode(pieces[4], validate=True)
    except ValueError:
        raise ValueError("the private key is not base64") from None
    if raw[:1] != _ED25519 or len(raw) != 33:
        raise ValueError("the private key is not an Ed25519 key")
    public = _public_bytes(raw[1:])
    if _hash(name, public) != hashed:
        raise ValueError("the private key does not have the hash that it bears")
    return _public_text(name, public)


def _public_bytes(seed: bytes) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def _public_text(name: str, public: bytes) -> str:
    return f"{name}+{_hash(name, public)}+{_text(public)}"


def _hash(name: str, public: bytes) -> str:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).hexdigest()[:8]


def _text(key: bytes) -> str:
    return base64.b64encode(_ED25519 + key).decode()
