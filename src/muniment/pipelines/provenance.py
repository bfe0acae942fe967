"""What an artifact was made of is what a trusted builder signed, about this very artifact (SLSA Provenance v1).

A builder may speak for itself alone: the key that signed must be that of the builder whom the statement names.
"""

import re
from collections.abc import Iterable

from msgspec import Struct

from muniment.errors import AttestationCode, AttestationError
from muniment.facts.maybe import Known, Unknown
from muniment.facts.pipeline import Provenance
from muniment.pipelines import dsse

KIND = "https://slsa.dev/provenance/v1"
_COMMIT = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_SHOWN = 200  # characters of what an unproven statement says


class Builder(Struct, frozen=True):
    """A builder that is trusted to say what it built: its id (a URI) and its public key (PEM, or the ledger's form)."""

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
    """What `envelope` says of `artifact` (`sha256:...`). Where it proves nothing, `signed_by` is Unknown and says why.

    It never raises: whatever a pipeline hands in is a fact about it.
    """
    trusted = tuple(builders)
    try:
        found = dsse.opened(envelope, {str(number): one.key for number, one in enumerate(trusted)})
        made = _about(found.payload, artifact)
    except AttestationError as error:
        return _unproven(envelope, artifact, error.message)
    if not any(trusted[int(number)].id == made.builder for number in found.signed_by):
        return _with(made, f"it is signed by another builder than {made.builder}")
    if not made.commit:
        return _with(made, "it does not name the one commit that it was made of")
    return made


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
