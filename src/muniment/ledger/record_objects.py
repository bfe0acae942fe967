"""Objects stored outside the ledger: identities, statements and reasons, each with its own salt, named by digest.

An object may be erased; the record that names it stays, and proves by the digest that there was one.
"""

import hashlib
import os
from typing import Any

from msgspec import Struct

from muniment.decision.decision import Decision
from muniment.facts import canonical
from muniment.facts.change import Commit
from muniment.facts.maybe import Known, Maybe


class RefUpdate(Struct, frozen=True):
    """Ref (a full name, percent-encoded as `facts.paths`) with its value before and after ("" for none)."""

    ref: str
    old: str
    new: str


class RefUpdates(Struct, frozen=True):
    """Refs and their values, of a `baseline`, a `ref-update` or a `hook-bypass` record."""

    repository_location: str
    updates: tuple[RefUpdate, ...]
    salt: str


class Push(Struct, frozen=True):
    """A whole push: the pusher's identity, the ref updates, and every commit that was not here before."""

    repository_location: str
    pusher: Maybe[str]
    updates: tuple[RefUpdate, ...]
    commits: tuple[Commit, ...]
    salt: str


class DecisionInputs(Struct, frozen=True):
    """A decision with what it takes to make it again: the digest of each fact, by name, which is an object too.

    The effective policy is the object whose digest the decision names (`Decision.policy`): its canonical JSON.
    """

    decision: Decision
    facts: dict[str, str]
    salt: str


class IncludedHeads(Struct, frozen=True):
    """The heads that an evaluation included, sorted.

    Their approvals are spent once the branch takes the evaluated commits. Without a salt, so that any holder of the
    facts can compare it: it names commits alone.
    """

    heads: tuple[str, ...]


class PushRefusal(Struct, frozen=True):
    """Why a ref update was refused before any evaluation: the ref (as in RefUpdate) and the reason's details."""

    ref: str
    code: str
    subject: str
    details: dict[str, str | int]
    salt: str


class PersonStatement(Struct, frozen=True):
    """A person and their statement: a reason, or a signed statement with its signature."""

    person: str
    text: str
    signature: str
    salt: str


class FreezeScope(Struct, frozen=True):
    """The product that a freeze is limited to (a repository on a plain git server), and its environment, or ""."""

    product: str
    environment: str
    salt: str


class PersonAction(Struct, frozen=True):
    """An action of a person in the service: its resource (`product:shop`) and its details, which hold no secret."""

    person: str
    resource: str
    details: dict[str, str]
    salt: str


class ReplaySummary(Struct, frozen=True):
    """The result of replaying past changes: `summary`, as `muniment replay --format json` gives it."""

    summary: Any
    salt: str


class DeploymentRequest(Struct, frozen=True):
    """A pipeline's request to deploy: `pipeline` is its identity (`github:repo:...`), `run` its run."""

    product: str
    environment: str
    artifact: str
    commit: str
    pipeline: str
    run: str
    salt: str


class DeploymentOutcome(Struct, frozen=True):
    """The outcome of a deployment: the artifact that the environment then ran ("" if unobserved), and how its program
    ended.
    """

    running_artifact: str
    exit_code: int | None
    reason: str
    salt: str


class JobRun(Struct, frozen=True):
    """A job's request for secrets without a deployment: `pipeline` is its identity, `workflow` its pipeline file,
    `reason` why it was denied, "" if it was not.
    """

    product: str
    environment: str
    commit: str
    pipeline: str
    run: str
    workflow: str
    reason: str
    salt: str


class Incident(Struct, frozen=True):
    """The subject of an incident: the product ("" if none), the subject that it is opened once for, and a sentence."""

    product: str
    subject: str
    summary: str
    salt: str


class IncidentClosing(Struct, frozen=True):
    """Person who closed an incident ("" for none), and its cause."""

    person: str
    cause: str
    salt: str


class BranchUpdate(Struct, frozen=True):
    """The commits that a branch update brought, newest first, and the change at its forge."""

    commits: tuple[str, ...]
    change: str
    salt: str


class ErasedObjects(Struct, frozen=True):
    """The digests of erased objects, and the reason."""

    objects: tuple[str, ...]
    reason: str
    salt: str


def digest_location(git_dir: str) -> str:
    """Digest that replaces a repository's directory, so that the ledger names no folder of a machine."""
    return hashlib.sha256(os.fsencode(os.path.realpath(git_dir))).hexdigest()[:32]


def draw_salt() -> str:
    """A fresh salt: 32 hexadecimal digits."""
    return os.urandom(16).hex()


def make_commitment(person: str, salt: str) -> str:
    """Commitment to a person: it names the person only to a reader who has the object."""
    return canonical.digest_value({"person": person, "salt": salt})


def make_optional_commitment(who: Maybe[str], salt: str) -> str:
    """Commitment to an identity; "" where the identity is unknown."""
    return make_commitment(who.value, salt) if isinstance(who, Known) else ""
