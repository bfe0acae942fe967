"""Evaluate a recorded decision again from its stored inputs: the result must be the same, byte for byte."""

from enum import StrEnum
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, structs

from muniment.controls.control import Control
from muniment.decision.binding import BoundPolicy
from muniment.decision.bound_policies import bind_policy
from muniment.decision.catalogue import CONTROLS
from muniment.decision.decision import Decision
from muniment.decision.evaluation import evaluate_policy
from muniment.errors import ErasedError, LedgerError, NotCanonicalError, PolicyError, UsageError
from muniment.facts import canonical
from muniment.facts.facts import Fact, Facts, StoredFact
from muniment.facts.kinds import KINDS, PEOPLE
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import Machine, People, PeopleList, Person, SaltedHolder
from muniment.ledger import record_kinds, record_objects
from muniment.policy.model import Policy
from muniment.store.store import Store
from muniment.workflows.change_evaluation import ChangeEvaluation
from muniment.workflows.decision_record import find_included_heads

T = TypeVar("T")


class Agreement(StrEnum):
    """Result of the comparison of a decision with its evaluation now."""

    AGREES = "agrees"
    DIFFERS = "differs"
    NOT_COMPARABLE = "not comparable"
    ERASED = "erased"


class ReplayedDecision(Struct, frozen=True):
    """Decision that was evaluated again. `explanation` says what differs, cannot be compared, or was erased; "" if they
    agree.
    """

    position: int
    agreement: Agreement
    explanation: str
    outcome: str
    target: str
    head: str
    time: str


class NotComparable(Exception):
    """Raised where this program cannot evaluate a decision as the recording one did."""


def reevaluate_record(home: Store, place: int, entry: record_kinds.AnyEntry) -> ReplayedDecision:
    """Evaluate the decision of a record again, at the position `place` of the ledger.

    Raises UsageError for a record that is no decision, StoreError or LedgerError for an object that is missing or not
    what the record names.
    """
    if not isinstance(entry, record_kinds.DecisionRecord | record_kinds.DecisionPreviewRecord):
        raise UsageError(f"entry {place} is no decision", "Name one that is: muniment ledger show --home DIR")
    try:
        agreement, why = _compare_decisions(home, entry)
    except ErasedError as error:
        agreement, why = Agreement.ERASED, error.message
    except NotComparable as error:
        agreement, why = Agreement.NOT_COMPARABLE, str(error)
    return ReplayedDecision(place, agreement, why, entry.outcome, entry.target, entry.head, entry.time)


def load_evaluation(
    home: Store, entry: record_kinds.DecisionRecord | record_kinds.DecisionPreviewRecord
) -> ChangeEvaluation:
    """Load the stored inputs of a recorded decision.

    Raises ErasedError, StoreError or LedgerError for those that are missing, NotComparable for those that this program
    cannot read.
    """
    inputs = _load_object(home, entry.object, record_objects.DecisionInputs)
    policy = _load_policy(home, inputs.decision.policy)
    _require_same_controls(inputs.decision)
    facts = Facts({name: _load_fact(home, name, digest) for name, digest in inputs.facts.items()})
    return ChangeEvaluation(inputs.decision, policy, facts)


def _load_policy(home: Store, digest: str) -> BoundPolicy:
    """Load the effective policy, bound to this program's controls."""
    policy: Policy = _load_object(home, digest, Policy)
    try:
        found = bind_policy(policy)
    except PolicyError as error:
        raise NotComparable(f"this program cannot evaluate that policy: {error.message}") from error
    if policy.digest != digest:
        raise NotComparable("this version reads that policy differently")
    return found


def _compare_decisions(
    home: Store, entry: record_kinds.DecisionRecord | record_kinds.DecisionPreviewRecord
) -> tuple[Agreement, str]:
    decision, policy, facts = structs.astuple(load_evaluation(home, entry))
    again = evaluate_policy(policy, facts, decision.point, decision.time)
    for part in Decision.__struct_fields__:
        if canonical.encode(getattr(again, part)) != canonical.encode(getattr(decision, part)):
            gone = _find_erased_people(facts)
            if gone:
                return Agreement.ERASED, f"its {part} depend on a person whose object was erased: {', '.join(gone)}"
            return Agreement.DIFFERS, f"its {part} come out otherwise"
    if not _matches_record(entry, decision) or entry.included_heads != _digest_included_heads(
        home, entry, ChangeEvaluation(again, policy, facts)
    ):
        return Agreement.DIFFERS, "the record does not list the objects of the decision"
    return Agreement.AGREES, ""


def _matches_record(
    entry: record_kinds.DecisionRecord | record_kinds.DecisionPreviewRecord, decision: Decision
) -> bool:
    shared = ("policy", "facts", "repository", "target", "base", "head", "time")
    same = all(getattr(entry, name) == getattr(decision, name) for name in shared)
    recorded = (entry.outcome, entry.point, entry.results)
    return same and recorded == (decision.outcome.value, decision.point.value, canonical.digest_value(decision.results))


def _digest_included_heads(
    home: Store, entry: record_kinds.DecisionRecord | record_kinds.DecisionPreviewRecord, again: ChangeEvaluation
) -> str:
    """Digest of the heads that the evaluation includes, computed again; the stored list has to be readable.

    Raises ErasedError, StoreError or LedgerError if the list is missing, or not what its digest says.
    """
    if entry.included_heads:
        _load_object(home, entry.included_heads, record_objects.IncludedHeads)
    included = find_included_heads(again)
    return canonical.digest_value(included) if included is not None else ""


def _require_same_controls(decision: Decision) -> None:
    for result in decision.results:
        control: Control | None = CONTROLS.get(result.control)
        version = control.version if control is not None else 0
        if version != result.control_version:
            raise NotComparable(
                f"{result.clause} was evaluated by version {result.control_version} of {result.control}, "
                f"and this program has {version or 'none'}"
            )


def _load_fact(home: Store, name: str, digest: str) -> Fact:
    kind = KINDS.get(name)
    if kind is None:
        raise NotComparable(f"this program knows no fact {name}")
    raw: StoredFact = _load_object(home, digest, StoredFact)
    try:
        fact = _load_people_fact(home, raw) if kind is PEOPLE else _convert_fact(raw, kind.shape)
    except msgspec.ValidationError as error:
        raise NotComparable(f"the fact {name} has another shape in this program") from error
    if fact.digest != digest:
        raise NotComparable(f"the fact {name} has another shape in this program")
    return fact


def _convert_fact(raw: StoredFact, shape: Any) -> Fact:
    return Fact(msgspec.convert(raw.value, shape, strict=True), raw.source, raw.read_at, raw.salt)


def _load_people_fact(home: Store, raw: StoredFact) -> Fact:
    """Load a fact about people, which names the list of their objects. Erased people are listed, not left out."""
    value: Maybe[str] = msgspec.convert(raw.value, Known[str] | Unknown, strict=True)
    if isinstance(value, Unknown):
        return Fact(value, raw.source, raw.read_at, raw.salt)
    listing = _load_object(home, value.value, PeopleList)
    found = home.get_objects(listing.objects)
    missing = tuple(digest for digest in listing.objects if digest not in found)
    erased = home.read_erasure_reasons(missing)
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


def _find_erased_people(facts: Facts) -> tuple[str, ...]:
    people = facts.get(PEOPLE)
    return people.value.erased if isinstance(people, Known) else ()


def _load_object(home: Store, digest: str, shape: type[T]) -> T:
    data = home.get_object(digest)
    if data is None:
        raise LedgerError(f"the object {digest} is missing", "Restore objects/ from a backup.")
    return _decode_object(digest, data, shape)


def _decode_object(digest: str, data: bytes, shape: type[T]) -> T:
    try:
        return canonical.decode(data, shape)
    except NotCanonicalError as error:
        raise NotComparable(f"the object {digest} has another shape in this program: {error.message}") from error
