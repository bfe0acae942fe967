"""Verifies SSH signatures of the common key types in this process: a thousand take less time than ten programs.

`ssh-keygen` decides all that this does not accept (`git.signatures`): other key types, and all that is not valid here.
Forms: PROTOCOL.sshsig, RFC 8709 (Ed25519), RFC 5656 (ECDSA), RFC 8332 (RSA).
"""

import hashlib
import struct

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from muniment.policy.ssh_keys import ED25519, RSA, SHORTEST_RSA, split_key_blob

_CURVES: dict[bytes, tuple[ec.EllipticCurve, hashes.HashAlgorithm]] = {
    b"nistp256": (ec.SECP256R1(), hashes.SHA256()),
    b"nistp384": (ec.SECP384R1(), hashes.SHA384()),
    b"nistp521": (ec.SECP521R1(), hashes.SHA512()),
}
_RSA_HASHES: dict[bytes, hashes.HashAlgorithm] = {b"rsa-sha2-256": hashes.SHA256(), b"rsa-sha2-512": hashes.SHA512()}


def is_valid_signature(key: bytes, signature: bytes, namespace: str, hash_name: str, data: bytes) -> bool:
    """Whether `signature` (the last field of an SSHSIG) over `data` is valid; False also for an unsupported form.

    `key`: the blob of the public key. `hash_name`: `sha256` or `sha512`, of the SSHSIG.
    """
    digest = hashlib.new(hash_name, data).digest()
    fields = (namespace.encode(), b"", hash_name.encode(), digest)
    signed = b"SSHSIG" + b"".join(struct.pack(">I", len(field)) + field for field in fields)
    try:
        kind, *parts = split_key_blob(key)
        form, raw = split_key_blob(signature)
        if kind == ED25519.encode():
            return form == kind and _verify_ed25519(parts, raw, signed)
        if kind == RSA.encode():
            return _verify_rsa(parts, form, raw, signed)
        return form == kind and _verify_ecdsa(kind, parts, raw, signed)
    except (ValueError, InvalidSignature, UnsupportedAlgorithm):
        return False


def _verify_ed25519(parts: list[bytes], raw: bytes, signed: bytes) -> bool:
    (point,) = parts
    Ed25519PublicKey.from_public_bytes(point).verify(raw, signed)
    return True


def _verify_rsa(parts: list[bytes], form: bytes, raw: bytes, signed: bytes) -> bool:
    exponent, modulus = (int.from_bytes(part) for part in parts)
    if form not in _RSA_HASHES or modulus.bit_length() < SHORTEST_RSA:
        return False
    public = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    public.verify(raw.rjust((modulus.bit_length() + 7) // 8, b"\0"), signed, padding.PKCS1v15(), _RSA_HASHES[form])
    return True


def _verify_ecdsa(kind: bytes, parts: list[bytes], raw: bytes, signed: bytes) -> bool:
    name, point = parts
    if kind != b"ecdsa-sha2-" + name or name not in _CURVES:
        return False
    curve, hash_algorithm = _CURVES[name]
    first, second = (int.from_bytes(part, signed=True) for part in split_key_blob(raw))
    public = ec.EllipticCurvePublicKey.from_encoded_point(curve, point)
    public.verify(encode_dss_signature(first, second), signed, ec.ECDSA(hash_algorithm))
    return True
