"""What lies beside the ledger: who, what and why, each thing an object with a salt of its own, kept by digest.

An object may be erased; the entry that names it stays, and says by its digest that there was one.
"""

import hashlib
import os
import secrets
from typing import Any

from msgspec import Struct

from muniment.decision.decision import Decision
from muniment.facts import canonical
from muniment.facts.change import Commit
from muniment.facts.maybe import Known, Maybe


class RefUpdate(Struct, frozen=True):
    """One ref (a full name, percent-encoded as `facts.paths`), and its value before and after ("" for none)."""

    ref: str
    old: str
    new: str


class Refs(Struct, frozen=True):
    """What refs became, or are: of a baseline, of what landed, of what moved."""

    place: str
    updates: tuple[RefUpdate, ...]
    salt: str


class Push(Struct, frozen=True):
    """One push, whole: who (an identity), which refs, and every commit that was not here before."""

    place: str
    pusher: Maybe[str]
    updates: tuple[RefUpdate, ...]
    commits: tuple[Commit, ...]
    salt: str


class Policies(Struct, frozen=True):
    """The texts that a policy was made of: the home's, and the branch's own. None where there was none."""

    home: str | None
    branch: str | None


class Kept(Struct, frozen=True):
    """A decision with what it takes to make it again: each fact's digest (an object too), and the policies' digest."""

    decision: Decision
    facts: dict[str, str]
    policies: str
    salt: str


class Refusal(Struct, frozen=True):
    """Why an update was refused that no policy has to judge: the ref (as in RefUpdate) and the reason's details."""

    ref: str
    code: str
    subject: str
    details: dict[str, str | int]
    salt: str


class Said(Struct, frozen=True):
    """Who said something, and what: a reason, a signed statement with its signature."""

    person: str
    text: str
    signature: str
    salt: str


class Act(Struct, frozen=True):
    """What a person did in the service: to which thing (`product:shop`), with which particulars. No secret is one."""

    person: str
    resource: str
    details: dict[str, str]
    salt: str


class Study(Struct, frozen=True):
    """What came of judging a branch's past: `summary`, as `muniment replay --format json` gives it."""

    summary: Any
    salt: str


class Delivery(Struct, frozen=True):
    """What a pipeline asked for: by which identity (`github:repo:...`), in which run."""

    product: str
    environment: str
    artifact: str
    commit: str
    by: str
    run: str
    salt: str


class Outcome(Struct, frozen=True):
    """What came of a deployment: what the environment then ran ("" if nobody looked), how its program ended, or why."""

    seen: str
    exit_code: int | None
    why: str
    salt: str


class Incident(Struct, frozen=True):
    """What an incident is about: the product ("" if none), the subject that it is opened once for, and a sentence."""

    product: str
    subject: str
    told: str
    salt: str


class Closing(Struct, frozen=True):
    """Who closed an incident ("" for nobody), and what had caused it."""

    person: str
    cause: str
    salt: str


class Arrival(Struct, frozen=True):
    """What a protected branch took: every commit that it had not before, newest first, and the change at its forge."""

    commits: tuple[str, ...]
    change: str
    salt: str


class Erased(Struct, frozen=True):
    """What was erased, by digest, and why."""

    objects: tuple[str, ...]
    reason: str
    salt: str


def place(git_dir: str) -> str:
    """What stands for a repository's directory: a digest, so that the ledger says nothing of a machine's folders."""
    return hashlib.sha256(os.fsencode(os.path.realpath(git_dir))).hexdigest()[:32]


def salt() -> str:
    """A fresh salt: 32 hexadecimal digits."""
    return secrets.token_hex(16)


def commitment(who: str, salt: str) -> str:
    """What an entry says of a person: nothing, but to whoever has the object."""
    return canonical.digest_of({"person": who, "salt": salt})


def committed(who: Maybe[str], salt: str) -> str:
    """The same for an identity that may not have been learnt: "" then."""
    return commitment(who.value, salt) if isinstance(who, Known) else ""
