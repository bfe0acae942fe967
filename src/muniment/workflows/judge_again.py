"""Make a recorded decision again, from what was kept of it: it must come out the same, byte for byte."""

from enum import StrEnum
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, structs

from muniment.controls.control import Control
from muniment.decision.binding import BoundPolicy
from muniment.decision.catalogue import CONTROLS
from muniment.decision.decision import Decision
from muniment.decision.judge import judge
from muniment.decision.policies import bind_policy
from muniment.errors import ErasedError, LedgerError, NotCanonicalError, PolicyError, UsageError
from muniment.facts import canonical
from muniment.facts.facts import Fact, Facts, StoredFact
from muniment.facts.kinds import KINDS, PEOPLE
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import Machine, People, PeopleList, Person, SaltedHolder
from muniment.ledger import entries, objects
from muniment.policy.model import Policy
from muniment.store.store import Store
from muniment.workflows.judge_change import Judgement
from muniment.workflows.judged import included_in

T = TypeVar("T")


class Agreement(StrEnum):
    """What came of judging again."""

    AGREES = "agrees"
    DIFFERS = "differs"
    NOT_COMPARABLE = "not comparable"
    ERASED = "erased"


class ReplayedDecision(Struct, frozen=True):
    """One decision, made again. `why` says what differs, cannot be compared, or was erased; "" if they agree."""

    position: int
    agreement: Agreement
    explanation: str
    outcome: str
    target: str
    head: str
    time: str


class NotComparable(Exception):
    """This program cannot judge as that one did."""


def judge_again(home: Store, place: int, entry: entries.AnyEntry) -> ReplayedDecision:
    """Entry `place` of the ledger, judged again. Raises UsageError for one that is no decision, StoreError,
    LedgerError for an object that is missing or not what the entry names."""
    if not isinstance(entry, entries.DecisionRecord | entries.DecisionPreviewRecord):
        raise UsageError(f"entry {place} is no decision", "Name one that is: muniment ledger show --home DIR")
    try:
        agreement, why = _compared(home, entry)
    except ErasedError as error:
        agreement, why = Agreement.ERASED, error.message
    except NotComparable as error:
        agreement, why = Agreement.NOT_COMPARABLE, str(error)
    return ReplayedDecision(place, agreement, why, entry.outcome, entry.target, entry.head, entry.time)


def judgement(home: Store, entry: entries.DecisionRecord | entries.DecisionPreviewRecord) -> Judgement:
    """What was kept of a recorded decision. Raises ErasedError, StoreError or LedgerError for what is not there,
    NotComparable for what this program cannot read."""
    kept = _decoded(home, entry.object, objects.DecisionInputs)
    policy = _policy(home, kept.decision.policy)
    _same_controls(kept.decision)
    facts = Facts({name: _fact(home, name, digest) for name, digest in kept.facts.items()})
    return Judgement(kept.decision, policy, facts)


def _policy(home: Store, digest: str) -> BoundPolicy:
    """The effective policy, bound to this program's controls."""
    policy: Policy = _decoded(home, digest, Policy)
    try:
        found = bind_policy(policy)
    except PolicyError as error:
        raise NotComparable(f"this program cannot evaluate that policy: {error.message}") from error
    if policy.digest != digest:
        raise NotComparable("this version reads that policy differently")
    return found


def _compared(home: Store, entry: entries.DecisionRecord | entries.DecisionPreviewRecord) -> tuple[Agreement, str]:
    decision, policy, facts = structs.astuple(judgement(home, entry))
    again = judge(policy, facts, decision.point, decision.time)
    for part in Decision.__struct_fields__:
        if canonical.encode(getattr(again, part)) != canonical.encode(getattr(decision, part)):
            gone = _erased_people(facts)
            if gone:
                return Agreement.ERASED, f"its {part} depend on a person whose object was erased: {', '.join(gone)}"
            return Agreement.DIFFERS, f"its {part} come out otherwise"
    if not _as_recorded(entry, decision) or entry.included_heads != _included(
        home, entry, Judgement(again, policy, facts)
    ):
        return Agreement.DIFFERS, "the record does not list the objects of the decision"
    return Agreement.AGREES, ""


def _as_recorded(entry: entries.DecisionRecord | entries.DecisionPreviewRecord, decision: Decision) -> bool:
    shared = ("policy", "facts", "repository", "target", "base", "head", "time")
    same = all(getattr(entry, name) == getattr(decision, name) for name in shared)
    said = (entry.outcome, entry.point, entry.results)
    return same and said == (decision.outcome.value, decision.point.value, canonical.digest_of(decision.results))


def _included(home: Store, entry: entries.DecisionRecord | entries.DecisionPreviewRecord, again: Judgement) -> str:
    """The digest of the heads that the evaluation includes, made again, and that the list which is stored has.

    Raises ErasedError, StoreError or LedgerError if the list is not there, or not what its name says.
    """
    if entry.included_heads:
        _decoded(home, entry.included_heads, objects.IncludedHeads)
    included = included_in(again)
    return canonical.digest_of(included) if included is not None else ""


def _same_controls(decision: Decision) -> None:
    for result in decision.results:
        control: Control | None = CONTROLS.get(result.control)
        version = control.version if control is not None else 0
        if version != result.control_version:
            raise NotComparable(
                f"{result.clause} was evaluated by version {result.control_version} of {result.control}, "
                f"and this program has {version or 'none'}"
            )


def _fact(home: Store, name: str, digest: str) -> Fact:
    kind = KINDS.get(name)
    if kind is None:
        raise NotComparable(f"this program knows no fact {name}")
    raw: StoredFact = _decoded(home, digest, StoredFact)
    try:
        fact = _people_fact(home, raw) if kind is PEOPLE else _whole_fact(raw, kind.shape)
    except msgspec.ValidationError as error:
        raise NotComparable(f"the fact {name} has another shape in this program") from error
    if fact.digest != digest:
        raise NotComparable(f"the fact {name} has another shape in this program")
    return fact


def _whole_fact(raw: StoredFact, shape: Any) -> Fact:
    return Fact(msgspec.convert(raw.value, shape, strict=True), raw.source, raw.read_at, raw.salt)


def _people_fact(home: Store, raw: StoredFact) -> Fact:
    """A fact about people, which names the list of their objects. Who was erased since is told apart, not left out."""
    value: Maybe[str] = msgspec.convert(raw.value, Known[str] | Unknown, strict=True)
    if isinstance(value, Unknown):
        return Fact(value, raw.source, raw.read_at, raw.salt)
    listing = _decoded(home, value.value, PeopleList)
    found = home.get_all(listing.objects)
    missing = tuple(digest for digest in listing.objects if digest not in found)
    erased = home.erased(missing)
    for digest in missing:
        if digest not in erased:
            raise LedgerError(f"the object {digest} is missing", "Restore objects/ from a backup.")
    holders = [
        _decode_object(digest, found[digest], SaltedHolder).holder for digest in listing.objects if digest in found
    ]
    people = People(
        tuple(holder for holder in holders if isinstance(holder, Person)),
        tuple(holder for holder in holders if isinstance(holder, Machine)),
        missing,
    )
    return Fact(Known(people), raw.source, raw.read_at, raw.salt, value.value)


def _erased_people(facts: Facts) -> tuple[str, ...]:
    people = facts.get(PEOPLE)
    return people.value.erased if isinstance(people, Known) else ()


def _decoded(home: Store, digest: str, shape: type[T]) -> T:
    data = home.get(digest)
    if data is None:
        raise LedgerError(f"the object {digest} is missing", "Restore objects/ from a backup.")
    return _decode_object(digest, data, shape)


def _decode_object(digest: str, data: bytes, shape: type[T]) -> T:
    try:
        return canonical.decode(data, shape)
    except NotCanonicalError as error:
        raise NotComparable(f"the object {digest} has another shape in this program: {error.message}") from error
