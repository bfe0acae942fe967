"""Our own processes' keys and identities: ES256, a minute long, for the vault alone."""

import base64
import json
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from muniment.errors import StoreError
from muniment.store import durable_files
from muniment.vault import layout

_LIFETIME_SECONDS = 60  # seconds
_HALF_BYTES = 32  # bytes of each half of a signature


def key_path(home: Path, name: str) -> Path:
    """Path of the key of layout.WEB or layout.WORKER: one file each, so that a machine needs only its own."""
    return home / "keys" / f"{name}.key"


def public_key_path(home: Path, name: str) -> Path:
    """Path of the public half of that key, for processes that may not read the private one."""
    return home / "keys" / f"{name}.pub"


def create_process_keys(home: Path) -> None:
    """Create both keys, each unless it exists. Raises StoreError."""
    for name in (layout.WEB, layout.WORKER):
        if not key_path(home, name).exists():
            key = ec.generate_private_key(ec.SECP256R1())
            kind, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            durable_files.write_file(
                key_path(home, name), key.private_bytes(serialization.Encoding.PEM, kind, plain), 0o600
            )
        text = _format_public_key(_read_private_key(home, name))
        if not public_key_path(home, name).exists() or read_process_key(home, name) != text:
            durable_files.write_file(public_key_path(home, name), text.encode() + b"\n", 0o644)


def read_process_key(home: Path, name: str) -> str:
    """Read the public key, PEM. Raises StoreError."""
    file = public_key_path(home, name)
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise StoreError(f"{file} cannot be read as a key", "Make it with: muniment up") from None


def _format_public_key(key: ec.EllipticCurvePrivateKey) -> str:
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, kind).decode().strip()


def create_identity_token(home: Path, name: str, now: int) -> str:
    """Create a JWT by which that process signs in, at `now` (seconds since 1970). Raises StoreError."""
    claims = {
        "iss": layout.MUNIMENT,
        "sub": name,
        "aud": layout.AUDIENCE,
        "iat": now,
        "nbf": now,
        "exp": now + _LIFETIME_SECONDS,
    }
    return sign_token(claims, _read_private_key(home, name))


def sign_token(claims: dict[str, object], key: ec.EllipticCurvePrivateKey) -> str:
    """Sign claims as a JWT (RFC 7519) with ES256."""
    head = {"alg": "ES256", "typ": "JWT"}
    text = ".".join(_encode_base64(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims))
    r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{text}.{_encode_base64(r.to_bytes(_HALF_BYTES, 'big') + s.to_bytes(_HALF_BYTES, 'big'))}"


def _read_private_key(home: Path, name: str) -> ec.EllipticCurvePrivateKey:
    file = key_path(home, name)
    try:
        found = serialization.load_pem_private_key(file.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        raise StoreError(f"{file} cannot be read as a key", "Make it with: muniment up") from None
    if not isinstance(found, ec.EllipticCurvePrivateKey) or not isinstance(found.curve, ec.SECP256R1):
        raise StoreError(f"{file} is no ES256 key", "Delete it, then run: muniment up")
    return found


def _encode_base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
