"""Control: required facts, parameters, reason codes, and the sentences of each reason."""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum, StrEnum
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, TypeVar

from msgspec import Struct

from muniment.facts.facts import FactKind
from muniment.facts.maybe import Maybe, Unknown
from muniment.facts.statements import ReviewAction

T = TypeVar("T")


class ResultStatus(StrEnum):
    """Result of a clause."""

    MET = "met"
    VIOLATED = "violated"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"


class Scope(StrEnum):
    """Object that a control evaluates."""

    REVISION = "revision"
    ARTIFACT = "artifact"
    PRODUCT = "product"


class ReasonTemplate(NamedTuple):
    """Template of a reason: its status, and two sentences, the finding and the next step.

    Both are templates over the reason's details, `{subject}` (`person:ada`) and `{name}` (`ada`). `settled_by`: the
    statement on the revision that settles it, None where no statement does. The command, forge or page where it is made
    is chosen by the code that shows the reason.
    """

    status: ResultStatus
    message: str
    remedy: str
    settled_by: ReviewAction | None = None


def met(message: str) -> ReasonTemplate:
    """Template of a clause that is met: no remedy."""
    return ReasonTemplate(ResultStatus.MET, message, "")


def not_applicable(message: str) -> ReasonTemplate:
    """Template of a clause that does not apply: no remedy."""
    return ReasonTemplate(ResultStatus.NOT_APPLICABLE, message, "")


def violated(message: str, remedy: str, settled_by: ReviewAction | None = None) -> ReasonTemplate:
    """Template of a clause that is violated. Raises ValueError without a remedy."""
    return _create_refusal(ResultStatus.VIOLATED, message, remedy, settled_by)


def unknown(message: str, remedy: str, settled_by: ReviewAction | None = None) -> ReasonTemplate:
    """Template of a clause whose facts are unknown. Raises ValueError without a remedy."""
    return _create_refusal(ResultStatus.UNKNOWN, message, remedy, settled_by)


def _create_refusal(status: ResultStatus, message: str, remedy: str, settled_by: ReviewAction | None) -> ReasonTemplate:
    if not message or not remedy:
        raise ValueError("a refusal needs a message and a remedy")
    return ReasonTemplate(status, message, remedy, settled_by)


class ReasonCodes(Enum):
    """Closed set of reasons of one control: each member is a ReasonTemplate, its code is its name in lower case."""

    @property
    def code(self) -> str:
        """Code of the reason, as data and pages show it."""
        return _format_code(self._name_)

    def __call__(self, subject: str, **details: str | int) -> "Reason":
        """Create a reason with this code. `subject`: `commit:`, `path:`, `person:`, `account:`, `fact:`, ... and its
        value.
        """
        answer: ReasonTemplate = self._value_
        return Reason(_format_code(self._name_), answer.status, subject, details)


@lru_cache(maxsize=1024)
def _format_code(name: str) -> str:
    return name.lower().replace("_", "-")


class Reason(Struct, frozen=True):
    """Reason of a result. `details` fill the sentences of its code."""

    code: str
    status: ResultStatus
    subject: str
    details: dict[str, str | int] = {}


class UnknownFact(ReasonCodes):
    """Reason of every control when a required fact is unknown."""

    FACT_UNKNOWN = unknown(
        "Required information is missing ({name}): {why}.",
        "Make it readable for Muniment, then check again.",
    )


class Case:
    """Input of a control: its facts, its parameters and the time of the evaluation.

    `compute_once` caches a value computed from the facts for all controls of one evaluation.
    """

    __slots__ = ("_derived", "_facts", "now", "parameters")

    def __init__(self, facts: Mapping[str, Maybe[Any]], parameters: Any, now: str, derived: dict[Any, Any]) -> None:
        self._facts = facts
        self._derived = derived
        self.parameters = parameters
        self.now = now

    def get_fact(self, kind: FactKind[T]) -> T:
        """Value of a fact. KeyError if the control does not read it, or it is unknown (see `explain_unknown`)."""
        fact = self._facts[kind.name]
        if isinstance(fact, Unknown):
            raise KeyError(kind.name)
        value: T = fact.value
        return value

    def explain_unknown(self, kinds: Iterable[FactKind[Any]]) -> tuple[Reason, ...]:
        """Reason for each of `kinds` that is unknown; none if all are known."""
        facts = self._facts
        if Unknown not in map(type, facts.values()):
            return ()  # as nearly always
        return tuple(
            [
                UnknownFact.FACT_UNKNOWN(f"fact:{kind.name}", why=fact.reason)
                for kind in kinds
                if isinstance(fact := facts[kind.name], Unknown)
            ]
        )

    def compute_once(self, compute: Callable[["Case"], T]) -> T:
        """Return `compute(self)`, cached for this evaluation."""
        if compute not in self._derived:
            self._derived[compute] = compute(self)
        value: T = self._derived[compute]
        return value


class Control(Struct, frozen=True, dict=True):
    """Control of the catalogue. `evaluate` returns at least one reason, also when the clause is met; `version` changes
    with its meaning.

    Without any fact of `needs` the result is unknown and `evaluate` is not called. Facts that it `consults` in some
    cases only are checked by `evaluate` (`Case.explain_unknown`).
    """

    name: str
    version: int
    summary: str
    scope: Scope
    needs: tuple[FactKind[Any], ...]
    parameters: type[Struct]
    codes: type[ReasonCodes]
    evaluate: Callable[[Case], tuple[Reason, ...]]
    consults: tuple[FactKind[Any], ...] = ()

    @cached_property
    def fact_names(self) -> tuple[str, ...]:
        """Names of the facts that the control is given."""
        return tuple(kind.name for kind in self.fact_kinds)

    @cached_property
    def fact_kinds(self) -> tuple[FactKind[Any], ...]:
        """Kinds of the facts that the control is given."""
        return tuple({kind.name: kind for kind in (*self.needs, *self.consults)}.values())


class NoParameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of a control that has none."""
