"""Verifies Sigstore bundles without a network: statements signed with a certificate of minutes, which names who signed.

What is trusted is an identity, its issuer, and a trusted root: the keys of certificate authority and logs, which the
company copied from whoever runs its Sigstore. Nothing is fetched; what the bundle lacks is not looked up.
"""

import hashlib
import re
from typing import Any

import msgspec
from msgspec import Struct

from muniment.errors import AttestationCode, AttestationError, NotCanonicalError
from muniment.facts import canonical
from muniment.pipelines import dsse

LARGEST_TRUST = 64 << 10  # bytes

_PRINTABLE = re.compile(r"[!-~]{1,500}")  # JSON can hide marks that show people another order of letters


class SigstoreTrust(Struct, frozen=True, forbid_unknown_fields=True):
    """Signer as the certificate names it (a workflow's address), the issuer that vouches for it, and trusted keys."""

    identity: str
    issuer: str
    trustedRoot: dict[str, object]  # noqa: N815 -- Sigstore's name


class SignedStatement(Struct, frozen=True):
    """The payload of a bundle, and the commit that its certificate names; "" if it names none."""

    payload: bytes
    commit: str


class _Bundle(Struct):
    """Parts of a bundle that are read here; the library reads the rest."""

    verificationMaterial: msgspec.Raw  # noqa: N815 -- Sigstore's name
    dsseEnvelope: dict[str, object]  # noqa: N815 -- Sigstore's name


def is_trust(text: str) -> bool:
    """Whether a builder is trusted by its Sigstore identity, not by a key."""
    return text.lstrip().startswith("{")


def read_trust(text: str) -> SigstoreTrust:
    """The trust that a person wrote, whose trusted root the library can use. Raises AttestationError."""
    try:
        canonical.refuse_repeated_keys(text.encode())
        trust = msgspec.json.decode(text, type=SigstoreTrust)
    except (msgspec.MsgspecError, NotCanonicalError):
        raise _refused("a trusted Sigstore identity cannot be read") from None
    if not all(map(_PRINTABLE.fullmatch, (trust.identity, trust.issuer))) or len(text) > LARGEST_TRUST:
        raise _refused("a trusted Sigstore identity names no identity, or no issuer")
    _verifier(trust)
    return trust


def fingerprint_trust(text: str) -> str:
    """The SHA-256 of the trust as canonical JSON: what two people compare. "" for what is no such trust."""
    try:
        return hashlib.sha256(canonical.encode(msgspec.json.decode(text))).hexdigest()
    except (msgspec.MsgspecError, NotCanonicalError):
        return ""


def describe_identity(text: str) -> str:
    """The identity and its issuer, for people; "" for what is no such trust."""
    try:
        trust = msgspec.json.decode(text, type=SigstoreTrust) if is_trust(text) else None
    except msgspec.MsgspecError:
        return ""
    return "" if trust is None else f"{trust.identity} ({trust.issuer})"


def find_envelope(data: bytes) -> bytes | None:
    """The DSSE envelope in a bundle; None if `data` is no bundle."""
    try:
        return canonical.encode(msgspec.json.decode(data, type=_Bundle).dsseEnvelope)
    except (msgspec.MsgspecError, NotCanonicalError):
        return None


def open_bundle(data: bytes, trust: SigstoreTrust) -> SignedStatement:
    """Content of a bundle, if the trusted identity signed it while its certificate was valid.

    Raises AttestationError.
    """
    from sigstore.models import Bundle
    from sigstore.verify import policy

    issuers = [policy.OIDCIssuerV2(trust.issuer), policy.OIDCIssuer(trust.issuer)]
    signer = policy.AllOf([policy.Identity(identity=trust.identity), policy.AnyOf([*issuers])])
    verifier = _verifier(trust)
    if len(data) > dsse.LARGEST_ENVELOPE:
        raise _refused("the Sigstore bundle is too large")
    try:
        canonical.refuse_repeated_keys(data)
        bundle = Bundle.from_json(data)
        kind, payload = verifier.verify_dsse(bundle, signer)
        commit = _read_commit(bundle.signing_certificate)
    except Exception as error:  # noqa: BLE001 -- a pipeline sent it: whatever a library makes of it, it proves nothing
        # The library's words can hold what the bundle says; the kind of failure is enough.
        raise _refused(f"the Sigstore bundle is not valid for {trust.identity} ({type(error).__name__})") from None
    if kind != dsse.PAYLOAD_TYPE:
        raise _refused("the Sigstore bundle holds no in-toto statement")
    return SignedStatement(payload, commit)


def _verifier(trust: SigstoreTrust) -> Any:
    """The library's verifier. Raises AttestationError where it is missing, or for a root that it cannot use."""
    try:
        from sigstore._internal.trust import KeyringPurpose
        from sigstore.models import TrustedRoot
        from sigstore.verify import Verifier
        from sigstore_models.trustroot.v1 import TrustedRoot as Message
    except ImportError:
        raise _refused("Sigstore bundles cannot be verified: install muniment[service]") from None
    try:
        root = TrustedRoot(Message.from_json(canonical.encode(trust.trustedRoot)))
        root.rekor_keyring(KeyringPurpose.VERIFY)
        root.ct_keyring(KeyringPurpose.VERIFY)
        return Verifier(trusted_root=root)
    except Exception:  # noqa: BLE001 -- a person wrote it: whatever the library makes of it, it is no trusted root
        raise _refused("the trusted root of a Sigstore identity cannot be used") from None


def _read_commit(certificate: Any) -> str:
    """The source's commit, as the certificate authority read it from the builder's identity; "" if it is missing."""
    from cryptography.hazmat import asn1
    from cryptography.x509 import ExtensionNotFound, ObjectIdentifier

    try:
        extension = certificate.extensions.get_extension_for_oid(ObjectIdentifier("1.3.6.1.4.1.57264.1.13"))
    except ExtensionNotFound:
        return ""
    return str(asn1.decode_der(str, extension.value.value))


def _refused(why: str) -> AttestationError:
    return dsse.attestation_error(AttestationCode.NOT_SIGNED, why)
