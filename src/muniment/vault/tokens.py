"""Our own processes' keys and identities: ES256, a minute long, for the vault alone."""

import base64
import json
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from muniment.errors import StoreError
from muniment.store import durable
from muniment.vault import layout

_LASTS = 60  # seconds
_SIZE = 32  # bytes of each half of a signature


def key_file(home: Path, name: str) -> Path:
    """Where the key of layout.WEB or layout.WORKER lies: one file each, so that a machine needs but its own."""
    return home / "keys" / f"{name}.key"


def public_file(home: Path, name: str) -> Path:
    """Where the public half of that key lies, for processes that may not read the private one."""
    return home / "keys" / f"{name}.pub"


def make_keys(home: Path) -> None:
    """Both keys, each unless it is there. Raises StoreError."""
    for name in (layout.WEB, layout.WORKER):
        if not key_file(home, name).exists():
            key = ec.generate_private_key(ec.SECP256R1())
            kind, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            durable.write(key_file(home, name), key.private_bytes(serialization.Encoding.PEM, kind, plain), 0o600)
        text = _public_of(_key(home, name))
        if not public_file(home, name).exists() or public(home, name) != text:
            durable.write(public_file(home, name), text.encode() + b"\n", 0o644)


def public(home: Path, name: str) -> str:
    """The public key, PEM. Raises StoreError."""
    file = public_file(home, name)
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise StoreError(f"{file} cannot be read as a key", "Make it with: muniment up") from None


def _public_of(key: ec.EllipticCurvePrivateKey) -> str:
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, kind).decode().strip()


def identity(home: Path, name: str, now: int) -> str:
    """A JWT by which that process signs in, at `now` (seconds since 1970). Raises StoreError."""
    claims = {"iss": layout.MUNIMENT, "sub": name, "aud": layout.AUDIENCE, "iat": now, "nbf": now, "exp": now + _LASTS}
    return signed(claims, _key(home, name))


def signed(claims: dict[str, object], key: ec.EllipticCurvePrivateKey) -> str:
    """A JWT (RFC 7519) with an ES256 signature."""
    head = {"alg": "ES256", "typ": "JWT"}
    text = ".".join(_base64(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims))
    r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{text}.{_base64(r.to_bytes(_SIZE, 'big') + s.to_bytes(_SIZE, 'big'))}"


def _key(home: Path, name: str) -> ec.EllipticCurvePrivateKey:
    file = key_file(home, name)
    try:
        found = serialization.load_pem_private_key(file.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        raise StoreError(f"{file} cannot be read as a key", "Make it with: muniment up") from None
    if not isinstance(found, ec.EllipticCurvePrivateKey) or not isinstance(found.curve, ec.SECP256R1):
        raise StoreError(f"{file} is no ES256 key", "Delete it, then run: muniment up")
    return found


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
