"""What an envelope holds is what a trusted key signed, byte for byte, or nothing (DSSE v1, in-toto Statement v1)."""

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

PAYLOAD = "application/vnd.in-toto+json"
STATEMENT: Final = "https://in-toto.io/Statement/v1"
LARGEST = 1 << 20  # bytes of an envelope
MOST = 16  # signatures of one, subjects that count

T = TypeVar("T")


class Signature(Struct, frozen=True):
    """One signature; which key made it is found by trying, `keyid` is a hint that nothing rests on."""

    sig: str
    keyid: str = ""


class Envelope(Struct, frozen=True):
    """A DSSE envelope, as JSON has it."""

    payload: str
    payloadType: str  # noqa: N815 -- DSSE's name
    signatures: tuple[Signature, ...]


class Subject(Struct, frozen=True):
    """What a statement is about."""

    digest: dict[str, str]
    name: str = ""


class Statement(Struct, Generic[T], frozen=True):
    """An in-toto Statement, v1."""

    type: Literal["https://in-toto.io/Statement/v1"] = msgspec.field(name="_type")
    subject: tuple[Subject, ...]
    predicateType: str  # noqa: N815 -- in-toto's name
    predicate: T


class Opened(Struct, frozen=True):
    """What an envelope holds, and the names of those of the given keys that signed it."""

    payload: bytes
    signed_by: tuple[str, ...]


def sealed(payload: bytes, private: str) -> bytes:
    """The envelope of a statement, signed with a key of the ledger's family (`ledger.keys`)."""
    from muniment.ledger import keys

    signature = base64.b64encode(keys.sign(private, _encoding(PAYLOAD, payload))).decode()
    name = keys.public_of(private).rpartition("+")[0]
    return canonical.encode(Envelope(base64.b64encode(payload).decode(), PAYLOAD, (Signature(signature, name),)))


def opened(data: bytes, keys: Mapping[str, str]) -> Opened:
    """What `data` holds, if at least one of `keys` (by name: PEM, or a public key of the ledger's family) signed it.

    Raises AttestationError.
    """
    envelope, payload, signatures = _taken_apart(data)
    message = _encoding(envelope.payloadType, payload)
    signed = tuple(
        name
        for name, verify in ((name, _verifier(text)) for name, text in keys.items())
        if any(verify(message, signature) for signature in signatures)
    )
    if not signed:
        raise refused(AttestationCode.NOT_SIGNED, "it is signed by none of the keys that are trusted")
    return Opened(payload, signed)


def check_key(text: str) -> None:
    """Raises AttestationError for what is no key that `opened` can use."""
    _public(text)


def fingerprint(text: str) -> str:
    """The SHA-256 of a public key in DER, as hexadecimal: what two people compare. "" for what is no such key."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    try:
        return hashlib.sha256(_public(text).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
    except AttestationError:
        return ""


def unverified(data: bytes) -> bytes:
    """What an envelope claims to hold, whoever made it: good for telling a person, and for nothing else."""
    return _taken_apart(data)[1]


def statement(payload: bytes, predicate: type[T], kind: str) -> Statement[T]:
    """The statement, whose predicate is of `kind`. Raises AttestationError, also if it names a key twice."""
    try:
        outer = msgspec.json.decode(payload, type=Statement[Any])
        canonical.refuse_repeated_keys(payload)
        if outer.predicateType != kind:
            raise refused(AttestationCode.OTHER_KIND, f"it is not of the kind {kind}")
        return msgspec.json.decode(payload, type=Statement[predicate])  # type: ignore[valid-type]
    except NotCanonicalError as error:
        raise refused(AttestationCode.UNREADABLE, error.message) from None
    except msgspec.MsgspecError:
        raise refused(AttestationCode.UNREADABLE, f"it is no statement of the kind {kind}") from None


def refused(code: AttestationCode, why: str) -> AttestationError:
    """The error for a statement that proves nothing."""
    return AttestationError(code, f"the statement proves nothing: {why}", "Let its builder sign it again.")


def _taken_apart(data: bytes) -> tuple[Envelope, bytes, tuple[bytes, ...]]:
    no_envelope = refused(AttestationCode.UNREADABLE, "it is no envelope of an in-toto statement")
    try:
        if len(data) > LARGEST:
            raise no_envelope
        envelope = msgspec.json.decode(data, type=Envelope)
        canonical.refuse_repeated_keys(data)
        if envelope.payloadType != PAYLOAD or not 0 < len(envelope.signatures) <= MOST:
            raise no_envelope
        payload = base64.b64decode(envelope.payload, validate=True)
        return envelope, payload, tuple(base64.b64decode(one.sig, validate=True) for one in envelope.signatures)
    except NotCanonicalError as error:
        raise refused(AttestationCode.UNREADABLE, error.message) from None
    except (msgspec.MsgspecError, ValueError):
        raise no_envelope from None


def _encoding(kind: str, body: bytes) -> bytes:
    """DSSE's pre-authentication encoding: what is really signed."""
    return b"DSSEv1 %d %s %d %s" % (len(kind.encode()), kind.encode(), len(body), body)


def _verifier(text: str) -> Callable[[bytes, bytes], bool]:
    """A function that says whether a key signed a message. Raises AttestationError for what is no such key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    key = _public(text)

    def verify(message: bytes, signature: bytes) -> bool:
        try:
            if isinstance(key, ed25519.Ed25519PublicKey):
                key.verify(signature, message)
            else:
                key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True

    return verify


def _public(text: str) -> "ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    from muniment.ledger.keys import LOG, read_public

    try:
        if not text.lstrip().startswith("-----BEGIN "):
            named = read_public(text)
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
    raise refused(AttestationCode.NOT_SIGNED, "a trusted key is no public Ed25519 or P-256 key")
