"""Permission that others verify offline: one artifact may go to one environment, as of one moment (SLSA VSA v1)."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from muniment.errors import AttestationCode, AttestationError, ParseError
from muniment.facts import canonical, moments
from muniment.pipelines import dsse

SUMMARY_TYPE = "https://slsa.dev/verification_summary/v1"
LEVEL = "MUNIMENT_DEPLOYMENT_ALLOWED"
_RESOURCE = "tag:muniment,2026:environment/"


class SummaryVerifier(Struct, frozen=True, forbid_unknown_fields=True):
    """Verifier of the artifact: the installation, by the name of its key."""

    id: str


class SummaryDescriptor(Struct, frozen=True, forbid_unknown_fields=True):
    """Policy or other statement, by its digest."""

    uri: str
    digest: dict[str, str]


class SummaryPredicate(Struct, frozen=True, forbid_unknown_fields=True):
    """SLSA VSA v1. Other fields are refused."""

    verifier: SummaryVerifier
    timeVerified: str  # noqa: N815 -- SLSA's name
    resourceUri: str  # noqa: N815 -- SLSA's name
    policy: SummaryDescriptor
    inputAttestations: tuple[SummaryDescriptor, ...]  # noqa: N815 -- SLSA's name
    verificationResult: Literal["PASSED", "FAILED"]  # noqa: N815 -- SLSA's name
    verifiedLevels: tuple[str, ...]  # noqa: N815 -- SLSA's name
    slsaVersion: str  # noqa: N815 -- SLSA's name


class VerifiedPermission(Struct, frozen=True):
    """Permission: `artifact` and `policy` as `sha256:...`, `inputs` the digests of the provenance behind it.

    `time` (`facts.moments`) is when it was verified. `verifier` is the name of the installation.
    """

    artifact: str
    product: str
    environment: str
    policy: str
    inputs: tuple[str, ...]
    verifier: str
    time: str


def sign_permission(permission: VerifiedPermission, private: str) -> bytes:
    """Sign the summary of a permission. `private` is a key of the ledger's family."""
    predicate = SummaryPredicate(
        verifier=SummaryVerifier(f"tag:muniment,2026:installation/{permission.verifier}"),
        timeVerified=permission.time,
        resourceUri=environment_uri(permission.product, permission.environment),
        policy=SummaryDescriptor("tag:muniment,2026:policy", _split_digest(permission.policy)),
        inputAttestations=tuple(
            SummaryDescriptor("tag:muniment,2026:provenance", _split_digest(one)) for one in permission.inputs
        ),
        verificationResult="PASSED",
        verifiedLevels=(LEVEL,),
        slsaVersion="1.1",
    )
    subject = dsse.AttestationSubject(_split_digest(permission.artifact))
    return dsse.sign_envelope(
        canonical.encode(dsse.InTotoStatement(dsse.STATEMENT_TYPE, (subject,), SUMMARY_TYPE, predicate)), private
    )


def verify_permission(
    data: bytes, artifact: str, environment: str, keys: Mapping[str, str], max_age: int, now: str, product: str = ""
) -> VerifiedPermission:
    """Verify that a permission lets `artifact` (`sha256:...`) into `environment` at the moment `now`.

    `keys`: public keys by name. `max_age` in seconds. `product` "" is any: an artifact's digest is one product's alone.
    Raises AttestationError; nothing is tolerated, a moment in the future neither.
    """
    statement = _decode_summary(dsse.open_envelope(data, keys).payload)
    predicate = statement.predicate
    if predicate.verificationResult != "PASSED" or LEVEL not in predicate.verifiedLevels:
        raise dsse.attestation_error(AttestationCode.NOT_PASSED, "it does not say that the deployment is allowed")
    if [subject.digest for subject in statement.subject] != [_split_digest(artifact)]:
        raise dsse.attestation_error(AttestationCode.OTHER_ARTIFACT, "it is about another artifact")
    there, where = _parse_environment_uri(predicate.resourceUri)
    if where != environment or product not in ("", there):
        raise dsse.attestation_error(AttestationCode.OTHER_ENVIRONMENT, f"it is for {there}/{where}")
    _check_age(predicate.timeVerified, max_age, now)
    return VerifiedPermission(
        artifact=artifact,
        product=there,
        environment=where,
        policy=_join_digest(predicate.policy.digest),
        inputs=tuple(_join_digest(one.digest) for one in predicate.inputAttestations),
        verifier=predicate.verifier.id.rpartition("/")[2],
        time=predicate.timeVerified,
    )


def environment_uri(product: str, environment: str) -> str:
    """URI by which a summary names an environment. Raises ValueError for a name that is not short."""
    if not all(part and part.replace("-", "").replace("_", "").isalnum() for part in (product, environment)):
        raise ValueError(f"{product!r} and {environment!r} cannot name a product and an environment")
    return f"{_RESOURCE}{product}/{environment}"


def _decode_summary(payload: bytes) -> dsse.InTotoStatement[SummaryPredicate]:
    """Decode the statement in an envelope, whose bytes are the canonical JSON that an installation signs."""
    statement = dsse.decode_attestation(payload, SummaryPredicate, SUMMARY_TYPE)
    if canonical.encode(statement) != payload:
        raise dsse.attestation_error(AttestationCode.UNREADABLE, "it is not in canonical form (RFC 8785)")
    return statement


def _parse_environment_uri(uri: str) -> tuple[str, str]:
    product, slash, environment = uri.removeprefix(_RESOURCE).partition("/")
    if not uri.startswith(_RESOURCE) or not slash or not product or "/" in environment:
        raise dsse.attestation_error(AttestationCode.OTHER_ENVIRONMENT, "it names no environment")
    return product, environment


def _check_age(verified: str, max_age: int, now: str) -> None:
    try:
        age = (moments.parse_moment(now) - moments.parse_moment(verified)).total_seconds()
    except ParseError:
        raise dsse.attestation_error(AttestationCode.UNREADABLE, "its moment is none") from None
    if age < 0:
        raise dsse.attestation_error(AttestationCode.FUTURE, f"it is dated {-age:.0f} seconds ahead: a clock is wrong")
    if age > max_age:
        raise AttestationError(
            AttestationCode.EXPIRED,
            f"the permission is {age:.0f} seconds old, and {max_age} is the most",
            "Ask for permission again: muniment deploy --env ENVIRONMENT",
        )


def _split_digest(text: str) -> dict[str, str]:
    algorithm, _, value = text.partition(":")
    return {algorithm: value}


def _join_digest(digest: dict[str, str]) -> str:
    return ":".join(next(iter(digest.items()), ("", "")))
