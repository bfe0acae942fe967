"""A permission that others verify offline: one artifact may go to one environment, as of one moment (SLSA VSA v1)."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from muniment.errors import AttestationCode, AttestationError, ParseError
from muniment.facts import canonical, moments
from muniment.pipelines import dsse

KIND = "https://slsa.dev/verification_summary/v1"
LEVEL = "MUNIMENT_DEPLOYMENT_ALLOWED"
_RESOURCE = "tag:muniment,2026:environment/"


class Verifier(Struct, frozen=True, forbid_unknown_fields=True):
    """Who verified: the installation, by the name of its key."""

    id: str


class Descriptor(Struct, frozen=True, forbid_unknown_fields=True):
    """A policy or another statement, by its digest."""

    uri: str
    digest: dict[str, str]


class Predicate(Struct, frozen=True, forbid_unknown_fields=True):
    """SLSA VSA v1. Nothing but these fields is taken."""

    verifier: Verifier
    timeVerified: str  # noqa: N815 -- SLSA's name
    resourceUri: str  # noqa: N815 -- SLSA's name
    policy: Descriptor
    inputAttestations: tuple[Descriptor, ...]  # noqa: N815 -- SLSA's name
    verificationResult: Literal["PASSED", "FAILED"]  # noqa: N815 -- SLSA's name
    verifiedLevels: tuple[str, ...]  # noqa: N815 -- SLSA's name
    slsaVersion: str  # noqa: N815 -- SLSA's name


class Permission(Struct, frozen=True):
    """What is said: `artifact` and `policy` as `sha256:...`, `inputs` the digests of the provenance it rests on.

    `time` (`facts.moments`) is when it was verified. `verifier` is the name of the installation.
    """

    artifact: str
    product: str
    environment: str
    policy: str
    inputs: tuple[str, ...]
    verifier: str
    time: str


def make(permission: Permission, private: str) -> bytes:
    """The signed summary. `private` is a key of the ledger's family."""
    predicate = Predicate(
        verifier=Verifier(f"tag:muniment,2026:installation/{permission.verifier}"),
        timeVerified=permission.time,
        resourceUri=resource(permission.product, permission.environment),
        policy=Descriptor("tag:muniment,2026:policy", _digest(permission.policy)),
        inputAttestations=tuple(Descriptor("tag:muniment,2026:provenance", _digest(one)) for one in permission.inputs),
        verificationResult="PASSED",
        verifiedLevels=(LEVEL,),
        slsaVersion="1.1",
    )
    subject = dsse.Subject(_digest(permission.artifact))
    return dsse.sealed(canonical.encode(dsse.Statement(dsse.STATEMENT, (subject,), KIND, predicate)), private)


def verify(
    data: bytes, artifact: str, environment: str, keys: Mapping[str, str], max_age: int, now: str, product: str = ""
) -> Permission:
    """The permission, if it lets `artifact` (`sha256:...`) into `environment` at the moment `now`.

    `keys`: public keys by name. `max_age` in seconds. `product` "" is any: an artifact's digest is one product's alone.
    Raises AttestationError; nothing is tolerated, a moment in the future neither.
    """
    said = _statement(dsse.opened(data, keys).payload)
    predicate = said.predicate
    if predicate.verificationResult != "PASSED" or LEVEL not in predicate.verifiedLevels:
        raise dsse.refused(AttestationCode.NOT_PASSED, "it does not say that the deployment is allowed")
    if [subject.digest for subject in said.subject] != [_digest(artifact)]:
        raise dsse.refused(AttestationCode.OTHER_ARTIFACT, "it is about another artifact")
    there, where = _place(predicate.resourceUri)
    if where != environment or product not in ("", there):
        raise dsse.refused(AttestationCode.OTHER_ENVIRONMENT, f"it is for {there}/{where}")
    _in_time(predicate.timeVerified, max_age, now)
    return Permission(
        artifact=artifact,
        product=there,
        environment=where,
        policy=_text(predicate.policy.digest),
        inputs=tuple(_text(one.digest) for one in predicate.inputAttestations),
        verifier=predicate.verifier.id.rpartition("/")[2],
        time=predicate.timeVerified,
    )


def resource(product: str, environment: str) -> str:
    """The URI by which a summary names an environment. Raises ValueError for what is no short name."""
    if not all(part and part.replace("-", "").replace("_", "").isalnum() for part in (product, environment)):
        raise ValueError(f"{product!r} and {environment!r} cannot name a product and an environment")
    return f"{_RESOURCE}{product}/{environment}"


def _statement(payload: bytes) -> dsse.Statement[Predicate]:
    """The statement in an envelope, whose bytes are the canonical JSON that an installation signs."""
    said = dsse.statement(payload, Predicate, KIND)
    if canonical.encode(said) != payload:
        raise dsse.refused(AttestationCode.UNREADABLE, "it is not in canonical form (RFC 8785)")
    return said


def _place(uri: str) -> tuple[str, str]:
    product, slash, environment = uri.removeprefix(_RESOURCE).partition("/")
    if not uri.startswith(_RESOURCE) or not slash or not product or "/" in environment:
        raise dsse.refused(AttestationCode.OTHER_ENVIRONMENT, "it names no environment")
    return product, environment


def _in_time(verified: str, max_age: int, now: str) -> None:
    try:
        age = (moments.parse(now) - moments.parse(verified)).total_seconds()
    except ParseError:
        raise dsse.refused(AttestationCode.UNREADABLE, "its moment is none") from None
    if age < 0:
        raise dsse.refused(AttestationCode.FUTURE, f"it is dated {-age:.0f} seconds ahead: a clock is wrong")
    if age > max_age:
        raise AttestationError(
            AttestationCode.EXPIRED,
            f"the permission is {age:.0f} seconds old, and {max_age} is the most",
            "Ask for permission again: muniment deploy --env ENVIRONMENT",
        )


def _digest(text: str) -> dict[str, str]:
    algorithm, _, value = text.partition(":")
    return {algorithm: value}


def _text(digest: dict[str, str]) -> str:
    return ":".join(next(iter(digest.items()), ("", "")))
