"""DSSE envelopes (v1) of in-toto statements (v1): the content counts if a trusted key signed it, byte for byte."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar

import msgspec
from msgspec import Struct

from muniment.errors import AttestationCode, AttestationError, NotCanonicalError, ParseError
from muniment.facts import canonical

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
LARGEST_ENVELOPE = 1 << 20  # bytes of an envelope
MOST_SIGNATURES = 16  # signatures of one, subjects that count

T = TypeVar("T")


class EnvelopeSignature(Struct, frozen=True):
    """Signature of an envelope. Its key is found by trying; `keyid` is only a hint."""

    sig: str
    keyid: str = ""


class Envelope(Struct, frozen=True):
    """DSSE envelope, as JSON has it."""

    payload: str
    payloadType: str  # noqa: N815 -- DSSE's name
    signatures: tuple[EnvelopeSignature, ...]


class AttestationSubject(Struct, frozen=True):
    """Subject of a statement, by its digests."""

    digest: dict[str, str]
    name: str = ""


class InTotoStatement(Struct, Generic[T], frozen=True):
    """In-toto Statement, v1, as JSON has it."""

    type: Literal["https://in-toto.io/Statement/v1"] = msgspec.field(name="_type")
    subject: tuple[AttestationSubject, ...]
    predicateType: str  # noqa: N815 -- in-toto's name
    predicate: T


class OpenedEnvelope(Struct, frozen=True):
    """Content of an envelope, and the names of those of the given keys that signed it."""

    payload: bytes
    signed_by: tuple[str, ...]


def sign_envelope(payload: bytes, private: str) -> bytes:
    """Sign a statement with a key of the ledger's family (`ledger.ledger_keys`), and return the envelope."""
    from muniment.ledger import ledger_keys

    signature = base64.b64encode(ledger_keys.sign_message(private, _encode_for_signing(PAYLOAD_TYPE, payload))).decode()
    name = ledger_keys.derive_public_key(private).rpartition("+")[0]
    return canonical.encode(
        Envelope(base64.b64encode(payload).decode(), PAYLOAD_TYPE, (EnvelopeSignature(signature, name),))
    )


def open_envelope(data: bytes, keys: Mapping[str, str]) -> OpenedEnvelope:
    """Open an envelope that at least one of `keys` (by name: PEM, or a public key of the ledger's family) signed.

    Raises AttestationError.
    """
    envelope, payload, signatures = _decode_envelope(data)
    message = _encode_for_signing(envelope.payloadType, payload)
    signed = tuple(
        name
        for name, verify in ((name, _create_verifier(text)) for name, text in keys.items())
        if any(verify(message, signature) for signature in signatures)
    )
    if not signed:
        raise attestation_error(AttestationCode.NOT_SIGNED, "it is signed by none of the keys that are trusted")
    return OpenedEnvelope(payload, signed)


def check_attestation_key(text: str) -> None:
    """Raise AttestationError for text that is no key for `open_envelope`."""
    _load_public_key(text)


def fingerprint_attestation_key(text: str) -> str:
    """SHA-256 of a public key in DER, as hexadecimal, for two people to compare; "" for text that is no such key."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    try:
        return hashlib.sha256(
            _load_public_key(text).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        ).hexdigest()
    except AttestationError:
        return ""


def read_unverified_payload(data: bytes) -> bytes:
    """Content of an envelope without any proof: for messages to a person, and nothing else."""
    return _decode_envelope(data)[1]


def decode_attestation(payload: bytes, predicate: type[T], kind: str) -> InTotoStatement[T]:
    """Decode the statement, whose predicate is of `kind`. Raises AttestationError, also if it names a key twice."""
    try:
        outer = msgspec.json.decode(payload, type=InTotoStatement[Any])
        canonical.refuse_repeated_keys(payload)
        if outer.predicateType != kind:
            raise attestation_error(AttestationCode.OTHER_KIND, f"it is not of the kind {kind}")
        return msgspec.json.decode(payload, type=InTotoStatement[predicate])  # type: ignore[valid-type]
    except NotCanonicalError as error:
        raise attestation_error(AttestationCode.UNREADABLE, error.message) from None
    except msgspec.MsgspecError:
        raise attestation_error(AttestationCode.UNREADABLE, f"it is no statement of the kind {kind}") from None


def attestation_error(code: AttestationCode, why: str) -> AttestationError:
    """Create the error for a statement that proves nothing."""
    return AttestationError(code, f"the statement proves nothing: {why}", "Let its builder sign it again.")


def _decode_envelope(data: bytes) -> tuple[Envelope, bytes, tuple[bytes, ...]]:
    no_envelope = attestation_error(AttestationCode.UNREADABLE, "it is no envelope of an in-toto statement")
    try:
        if len(data) > LARGEST_ENVELOPE:
            raise no_envelope
        envelope = msgspec.json.decode(data, type=Envelope)
        canonical.refuse_repeated_keys(data)
        if envelope.payloadType != PAYLOAD_TYPE or not 0 < len(envelope.signatures) <= MOST_SIGNATURES:
            raise no_envelope
        payload = base64.b64decode(envelope.payload, validate=True)
        return envelope, payload, tuple(base64.b64decode(one.sig, validate=True) for one in envelope.signatures)
    except NotCanonicalError as error:
        raise attestation_error(AttestationCode.UNREADABLE, error.message) from None
    except (msgspec.MsgspecError, ValueError):
        raise no_envelope from None


def _encode_for_signing(kind: str, body: bytes) -> bytes:
    """Pre-authentication encoding of DSSE: the bytes that are signed."""
    return b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(body), body)


def _create_verifier(text: str) -> Callable[[bytes, bytes], bool]:
    """Create a function that tells whether a key signed a message. Raises AttestationError for text that is no such
    key.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    key = _load_public_key(text)

    def is_signed(message: bytes, signature: bytes) -> bool:
        try:
            if isinstance(key, ed25519.Ed25519PublicKey):
                key.verify(signature, message)
            else:
                key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True

    return is_signed


def _load_public_key(text: str) -> "ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    from muniment.ledger.ledger_keys import LOG, parse_public_key

    try:
        if not text.lstrip().startswith("-----BEGIN "):
            named = parse_public_key(text)
            if named.kind == LOG:
                return ed25519.Ed25519PublicKey.from_public_bytes(named.raw)
        else:
            key = load_pem_public_key(text.encode())
            if isinstance(key, ed25519.Ed25519PublicKey):
                return key
            if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
                return key
    except (ParseError, ValueError, TypeError, UnsupportedAlgorithm):
        pass
    raise attestation_error(AttestationCode.NOT_SIGNED, "a trusted key is no public Ed25519 or P-256 key")
