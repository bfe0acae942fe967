"""What an artifact was made of is what a trusted builder signed, about this very artifact (SLSA Provenance v1).

A builder may speak for itself alone: the key that signed, or the identity of a Sigstore bundle, must be that of the
builder whom the statement names.
"""

import re
from collections.abc import Iterable

from msgspec import Struct

from muniment.errors import AttestationCode, AttestationError
from muniment.facts.maybe import Known, Unknown
from muniment.facts.pipeline import Provenance
from muniment.pipelines import dsse, sigstore_bundles

KIND = "https://slsa.dev/provenance/v1"
_COMMIT = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_SHOWN = 200  # characters of what an unproven statement says


class Builder(Struct, frozen=True):
    """A builder that is trusted to say what it built: its id (a URI), and its public key (PEM, or the ledger's form) or
    the JSON of its Sigstore identity (`sigstore_bundles.SigstoreTrust`).
    """

    id: str
    key: str


class Resource(Struct, frozen=True):
    """Something that went into the build."""

    uri: str = ""
    digest: dict[str, str] = {}


class BuildDefinition(Struct, frozen=True):
    """What was asked of the builder."""

    resolvedDependencies: tuple[Resource, ...] = ()  # noqa: N815 -- SLSA's name


class BuiltBy(Struct, frozen=True):
    """Who built it."""

    id: str


class RunDetails(Struct, frozen=True):
    """How it was built."""

    builder: BuiltBy


class Predicate(Struct, frozen=True):
    """SLSA Provenance v1, as far as it is read."""

    buildDefinition: BuildDefinition  # noqa: N815 -- SLSA's name
    runDetails: RunDetails  # noqa: N815 -- SLSA's name


def read(envelope: bytes, artifact: str, builders: Iterable[Builder]) -> Provenance:
    """What an envelope or a Sigstore bundle says of `artifact` (`sha256:...`).

    Where it proves nothing, `signed_by` is Unknown and says why. It never raises: whatever a pipeline hands in is a
    fact about it.
    """
    trusted = tuple(builders)
    inner = sigstore_bundles.find_envelope(envelope)
    shown = envelope if inner is None else inner
    identities = [one for one in trusted if sigstore_bundles.is_trust(one.key)]
    keys = [one for one in trusted if not sigstore_bundles.is_trust(one.key)]
    refusal = None
    if inner is not None and identities:
        try:
            return _read_bundle(envelope, artifact, identities)
        except AttestationError as error:
            refusal = error  # a lasting key may have signed what is in the bundle
    try:
        found = dsse.opened(shown, {str(number): one.key for number, one in enumerate(keys)})
        made = _about(found.payload, artifact)
    except AttestationError as error:
        return _unproven(shown, artifact, (refusal or error).message)
    if not any(keys[int(number)].id == made.builder for number in found.signed_by):
        return _with(made, f"it is signed by another builder than {made.builder}")
    return _require_commit(made)


def check_key(text: str) -> None:
    """Raise AttestationError for what is neither a key nor a Sigstore identity by which a builder can be trusted."""
    if sigstore_bundles.is_trust(text):
        sigstore_bundles.read_trust(text)
    else:
        dsse.check_key(text)


def fingerprint(text: str) -> str:
    """What two people compare of a builder's key or Sigstore identity; "" for what is neither."""
    return sigstore_bundles.fingerprint_trust(text) if sigstore_bundles.is_trust(text) else dsse.fingerprint(text)


def _read_bundle(data: bytes, artifact: str, builders: list[Builder]) -> Provenance:
    """The first of the builders' Sigstore identities that signed the bundle decides. Raises AttestationError."""
    refusal = None
    for one in builders:
        try:
            found = sigstore_bundles.open_bundle(data, sigstore_bundles.read_trust(one.key))
        except AttestationError as error:
            refusal = refusal or error
            continue
        made = _about(found.payload, artifact)
        if made.builder != one.id:
            return _with(made, f"it is signed by another builder than {made.builder}")
        if found.commit and found.commit != made.commit:
            return _with(made, "its certificate names another commit")
        return _require_commit(made)
    raise refusal or dsse.refused(AttestationCode.NOT_SIGNED, "no Sigstore identity is trusted")


def _require_commit(made: Provenance) -> Provenance:
    return made if made.commit else _with(made, "it does not name the one commit that it was made of")


def _about(payload: bytes, artifact: str) -> Provenance:
    said = dsse.statement(payload, Predicate, KIND)
    digests = [f"sha256:{subject.digest.get('sha256', '')}" for subject in said.subject]
    if artifact not in digests:
        raise dsse.refused(AttestationCode.OTHER_ARTIFACT, "it is about another artifact")
    sources = {
        (one.uri, one.digest["gitCommit"])
        for one in said.predicate.buildDefinition.resolvedDependencies
        if _COMMIT.fullmatch(one.digest.get("gitCommit", ""))
    }
    uri, commit = sources.pop() if len(sources) == 1 else ("", "")
    builder = said.predicate.runDetails.builder.id
    return Provenance(artifact, builder[:_SHOWN], uri[:_SHOWN], commit, Known(builder[:_SHOWN]))


def _unproven(envelope: bytes, artifact: str, why: str) -> Provenance:
    """With what it claims, so that a person sees whose word is missing. What is about another artifact is so too."""
    try:
        return _with(_about(dsse.unverified(envelope), artifact), why)
    except AttestationError:
        return Provenance(artifact, "somebody", "", "", Unknown(why))


def _with(made: Provenance, why: str) -> Provenance:
    return Provenance(made.artifact, made.builder, made.repository, made.commit, Unknown(why))
