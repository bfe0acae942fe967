"""Keys of token issuers: a signature is verified with a trusted key, by the one algorithm that belongs to it.

So no header can choose: neither `none`, nor a symmetric algorithm over a public key (RFC 8725, sections 2.1 and 3.1).
"""

import json
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from msgspec import Struct

from muniment.errors import IdentityCode, IdentityError, NotCanonicalError
from muniment.facts import canonical

SMALLEST_RSA_KEY = 2048  # bits of an RSA key

_TRIED = "Use the identity that the pipeline is registered with; after a change of keys, have them read again."


class TokenKey(Struct, frozen=True):
    """Public key with its algorithm. `id` is "" where it has none."""

    id: str
    algorithm: str
    key: Any


def read_token_key(text: str) -> TokenKey:
    """Read a key from a JWK (JSON) or a PEM. Raises IdentityError for keys that cannot be trusted: private, symmetric,
    weak.
    """
    try:
        if text.lstrip().startswith("{"):
            canonical.refuse_repeated_keys(text.encode())
            return _from_jwk(json.loads(text))
        return TokenKey("", *_identify_key(load_pem_public_key(text.encode())))
    except (ValueError, TypeError, NotCanonicalError, UnsupportedAlgorithm, jwt.PyJWTError):
        raise IdentityError(
            IdentityCode.INCOMPLETE_TRUST,
            "a trusted key cannot be used: it is no public RSA, P-256 or Ed25519 key",
            "Register the issuer's public keys, as JWK or PEM.",
        ) from None


def choose_token_key(keys: tuple[str, ...], wanted: Any, algorithm: Any) -> TokenKey:
    """Choose the one of `keys` that a token's header names. Raises IdentityError if none is, or it is used in another
    way.
    """
    read_keys = [read_token_key(text) for text in keys]
    named = [key for key in read_keys if key.id == wanted] if wanted else read_keys
    if not named and len(read_keys) == 1 and not read_keys[0].id:
        named = read_keys  # a key without an id is known by being the only one
    if len(named) != 1:
        raise _identity_error(IdentityCode.KEY, "it is signed by a key that is not trusted")
    if algorithm != named[0].algorithm:
        raise _identity_error(IdentityCode.ALGORITHM, "it is not signed in the way that belongs to its key")
    return named[0]


def verify_payload(token: str, key: TokenKey) -> bytes:
    """Verify that `key` signed a token, and return its payload. Raises IdentityError."""
    try:
        decoded = jwt.PyJWS().decode_complete(token, key.key, algorithms=[key.algorithm])
    except jwt.InvalidSignatureError:
        raise _identity_error(IdentityCode.SIGNATURE, "its signature is wrong") from None
    except (jwt.PyJWTError, ValueError, TypeError):
        raise _identity_error(IdentityCode.UNREADABLE, "it is no such token") from None
    payload: bytes = decoded["payload"]
    return payload


def _from_jwk(jwk: dict[str, object]) -> TokenKey:
    if jwk.get("use", "sig") != "sig" or "d" in jwk or jwk.get("kty") not in ("RSA", "EC", "OKP"):
        raise ValueError("not a public key for signatures")
    algorithm, key = _identify_key(jwt.PyJWK.from_dict(jwk).key)
    if jwk.get("alg", algorithm) != algorithm:
        raise ValueError("meant for another algorithm")
    return TokenKey(str(jwk.get("kid", "")), algorithm, key)


def _identify_key(key: Any) -> tuple[str, Any]:
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= SMALLEST_RSA_KEY:
        return "RS256", key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return "ES256", key
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "EdDSA", key
    raise ValueError("another kind of key")


def _identity_error(code: IdentityCode, why: str) -> IdentityError:
    return IdentityError(code, f"this identity is not valid: {why}", _TRIED)
