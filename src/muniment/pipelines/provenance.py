"""Provenance of an artifact, as a trusted builder signed it, about this very artifact (SLSA Provenance v1).

A builder may speak for itself alone: the key that signed must be that of the builder whom the statement names.
"""

import re
from collections.abc import Iterable

from msgspec import Struct

from muniment.errors import AttestationCode, AttestationError
from muniment.facts.maybe import Known, Unknown
from muniment.facts.pipeline import Provenance
from muniment.pipelines import dsse, sigstore_bundles

PROVENANCE_TYPE = "https://slsa.dev/provenance/v1"
_COMMIT = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_SHOWN = 200  # characters of what an unproven statement says


class Builder(Struct, frozen=True):
    """Builder whose provenance is trusted: its id (a URI) and its public key (PEM, or the ledger's form)."""

    id: str
    key: str


class BuildResource(Struct, frozen=True):
    """Resource that went into the build."""

    uri: str = ""
    digest: dict[str, str] = {}


class BuildDefinition(Struct, frozen=True):
    """Input of the build."""

    resolvedDependencies: tuple[BuildResource, ...] = ()  # noqa: N815 -- SLSA's name


class BuiltBy(Struct, frozen=True):
    """Builder of the artifact, by its id."""

    id: str


class RunDetails(Struct, frozen=True):
    """Details of the run that built the artifact."""

    builder: BuiltBy


class ProvenancePredicate(Struct, frozen=True):
    """SLSA Provenance v1, as far as it is read."""

    buildDefinition: BuildDefinition  # noqa: N815 -- SLSA's name
    runDetails: RunDetails  # noqa: N815 -- SLSA's name


def read_provenance(envelope: bytes, artifact: str, builders: Iterable[Builder]) -> Provenance:
    """Read the provenance of `artifact` (`sha256:...`) in `envelope`. Where it proves nothing, `signed_by` is Unknown
    with the reason.

    It never raises: every submission of a pipeline is a fact about it.
    """
    trusted = tuple(builders)
    inner = sigstore_bundles.find_envelope(envelope)
    content = envelope if inner is None else inner
    identities = [one for one in trusted if sigstore_bundles.is_trust(one.key)]
    keys = [one for one in trusted if not sigstore_bundles.is_trust(one.key)]
    refusal = None
    if inner is not None and identities:
        try:
            return _read_bundle(envelope, artifact, identities)
        except AttestationError as error:
            refusal = error  # a lasting key may have signed what is in the bundle
    try:
        found = dsse.open_envelope(content, {str(number): one.key for number, one in enumerate(keys)})
        made = _read_statement(found.payload, artifact)
    except AttestationError as error:
        return _build_unproven(content, artifact, (refusal or error).message)
    if not any(keys[int(number)].id == made.builder for number in found.signed_by):
        return _mark_unproven(made, f"it is signed by another builder than {made.builder}")
    return _require_commit(made)


def check_key(text: str) -> None:
    """Raise AttestationError for what is neither a key nor a Sigstore identity by which a builder can be trusted."""
    if sigstore_bundles.is_trust(text):
        sigstore_bundles.read_trust(text)
    else:
        dsse.check_attestation_key(text)


def fingerprint(text: str) -> str:
    """Fingerprint that two people compare of a builder's key or Sigstore identity; "" for other text."""
    return (
        sigstore_bundles.fingerprint_trust(text)
        if sigstore_bundles.is_trust(text)
        else dsse.fingerprint_attestation_key(text)
    )


def _read_bundle(data: bytes, artifact: str, builders: list[Builder]) -> Provenance:
    """The first of the builders' Sigstore identities that signed the bundle decides. Raises AttestationError."""
    refusal = None
    for one in builders:
        try:
            found = sigstore_bundles.open_bundle(data, sigstore_bundles.read_trust(one.key))
        except AttestationError as error:
            refusal = refusal or error
            continue
        made = _read_statement(found.payload, artifact)
        if made.builder != one.id:
            return _mark_unproven(made, f"it is signed by another builder than {made.builder}")
        if found.commit and found.commit != made.commit:
            return _mark_unproven(made, "its certificate names another commit")
        return _require_commit(made)
    raise refusal or dsse.attestation_error(AttestationCode.NOT_SIGNED, "no Sigstore identity is trusted")


def _require_commit(made: Provenance) -> Provenance:
    return made if made.commit else _mark_unproven(made, "it does not name the one commit that it was made of")


def _read_statement(payload: bytes, artifact: str) -> Provenance:
    statement = dsse.decode_attestation(payload, ProvenancePredicate, PROVENANCE_TYPE)
    digests = [f"sha256:{subject.digest.get('sha256', '')}" for subject in statement.subject]
    if artifact not in digests:
        raise dsse.attestation_error(AttestationCode.OTHER_ARTIFACT, "it is about another artifact")
    sources = {
        (one.uri, one.digest["gitCommit"])
        for one in statement.predicate.buildDefinition.resolvedDependencies
        if _COMMIT.fullmatch(one.digest.get("gitCommit", ""))
    }
    uri, commit = sources.pop() if len(sources) == 1 else ("", "")
    builder = statement.predicate.runDetails.builder.id
    return Provenance(artifact, builder[:_SHOWN], uri[:_SHOWN], commit, Known(builder[:_SHOWN]))


def _build_unproven(envelope: bytes, artifact: str, why: str) -> Provenance:
    """Build provenance that proves nothing, with its claims, so that a person sees which signature is missing.

    Provenance of another artifact proves nothing too.
    """
    try:
        return _mark_unproven(_read_statement(dsse.read_unverified_payload(envelope), artifact), why)
    except AttestationError:
        return Provenance(artifact, "somebody", "", "", Unknown(why))


def _mark_unproven(made: Provenance, why: str) -> Provenance:
    return Provenance(made.artifact, made.builder, made.repository, made.commit, Unknown(why))
