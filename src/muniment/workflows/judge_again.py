"""Make a recorded decision again, from what was kept of it: it must come out the same, byte for byte."""

from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct, structs

from muniment.controls.control import Control
from muniment.decision.catalogue import CONTROLS
from muniment.decision.decision import Decision
from muniment.decision.judge import judge
from muniment.errors import ErasedError, LedgerError, PolicyError, UsageError
from muniment.facts import canonical
from muniment.facts.facts import Fact, Facts
from muniment.facts.kinds import KINDS
from muniment.home.home import Home
from muniment.ledger import entries, objects
from muniment.workflows.judge_change import Judgement
from muniment.workflows.sources import policy_from


class Agreement(StrEnum):
    """What came of judging again."""

    AGREES = "agrees"
    DIFFERS = "differs"
    NOT_COMPARABLE = "not comparable"
    ERASED = "erased"


class Again(Struct, frozen=True):
    """One decision, made again. `why` says what differs, cannot be compared, or was erased; "" if they agree."""

    entry: int
    agreement: Agreement
    why: str
    outcome: str
    target: str
    head: str
    time: str


class NotComparable(Exception):
    """This program cannot judge as that one did."""


def judge_again(home: Home, place: int, entry: entries.AnyEntry) -> Again:
    """Entry `place` of the ledger, judged again. Raises UsageError for one that is no decision, HomeError,
    LedgerError for an object that is missing or not what the entry names."""
    if not isinstance(entry, entries.Judged | entries.Previewed):
        raise UsageError(f"entry {place} is no decision", "Name one that is: muniment ledger show")
    try:
        agreement, why = _compared(home, entry)
    except ErasedError as error:
        agreement, why = Agreement.ERASED, error.message
    except NotComparable as error:
        agreement, why = Agreement.NOT_COMPARABLE, str(error)
    return Again(place, agreement, why, entry.outcome, entry.target, entry.head, entry.time)


def judgement(home: Home, entry: entries.Judged | entries.Previewed) -> Judgement:
    """What was kept of a recorded decision. Raises ErasedError, HomeError or LedgerError for what is not there,
    NotComparable for what this program cannot read."""
    kept = _decoded(home, entry.object, objects.Kept)
    policies = _decoded(home, kept.policies, objects.Policies)
    _same_controls(kept.decision)
    facts = Facts({name: _fact(home, name, digest) for name, digest in kept.facts.items()})
    try:
        policy = policy_from(policies.home, policies.branch)[0]
    except PolicyError as error:
        raise NotComparable(f"this program cannot read that policy: {error.message}") from error
    if policy.policy.digest != kept.decision.policy:
        raise NotComparable("this program reads that policy in another way")
    return Judgement(kept.decision, policy, facts)


def _compared(home: Home, entry: entries.Judged | entries.Previewed) -> tuple[Agreement, str]:
    decision, policy, facts = structs.astuple(judgement(home, entry))
    again = judge(policy, facts, decision.point, decision.time)
    for part in Decision.__struct_fields__:
        if canonical.encode(getattr(again, part)) != canonical.encode(getattr(decision, part)):
            return Agreement.DIFFERS, f"its {part} come out otherwise"
    if not _as_recorded(entry, decision):
        return Agreement.DIFFERS, "the entry does not say what was kept of the decision"
    return Agreement.AGREES, ""


def _as_recorded(entry: entries.Judged | entries.Previewed, decision: Decision) -> bool:
    shared = ("policy", "facts", "repository", "target", "base", "head", "time")
    same = all(getattr(entry, name) == getattr(decision, name) for name in shared)
    said = (entry.outcome, entry.point, entry.results)
    return same and said == (decision.outcome.value, decision.point.value, canonical.digest_of(decision.results))


def _same_controls(decision: Decision) -> None:
    for result in decision.results:
        control: Control | None = CONTROLS.get(result.control)
        version = control.version if control is not None else 0
        if version != result.version:
            raise NotComparable(
                f"{result.clause} was judged by version {result.version} of {result.control}, and this program has "
                f"{version or 'none'}"
            )


def _fact(home: Home, name: str, digest: str) -> Fact:
    kind = KINDS.get(name)
    if kind is None:
        raise NotComparable(f"this program knows no fact {name}")
    raw: dict[str, Any] = _decoded(home, digest, dict[str, Any])
    try:
        value = msgspec.convert(raw["value"], kind.shape, strict=True)
        fact = Fact(value, raw["source"], raw["read_at"], raw["salt"])
    except (msgspec.ValidationError, KeyError) as error:
        raise NotComparable(f"the fact {name} has another shape in this program") from error
    if fact.digest != digest:
        raise NotComparable(f"the fact {name} has another shape in this program")
    return fact


def _decoded(home: Home, digest: str, shape: Any) -> Any:
    data = home.get(digest)
    if data is None:
        raise LedgerError(f"the object {digest} is missing", "Restore objects/ from a backup.")
    try:
        return msgspec.json.decode(data, type=shape)
    except msgspec.MsgspecError as error:
        raise NotComparable(f"the object {digest} has another shape in this program") from error
