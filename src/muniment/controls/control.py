"""Control: required facts, parameters, reason codes, and the sentences of each reason."""

from collections.abc import Callable, Iterable, Mapping
from enum import Enum, StrEnum
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, TypeVar

from msgspec import Struct

from muniment.facts.facts import Kind
from muniment.facts.maybe import Maybe, Unknown
from muniment.facts.statements import ReviewAction

T = TypeVar("T")


class Status(StrEnum):
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


class Answer(NamedTuple):
    """Status of a reason code and its two sentences: the finding and the next step.

    Both are templates over the reason's details, `{subject}` (`person:ada`) and `{name}` (`ada`). `settled_by`: the
    statement on the revision that settles it, None where no statement does. Where it is made (a command, a forge, a
    page) is for whoever shows the reason.
    """

    status: Status
    message: str
    remedy: str
    settled_by: ReviewAction | None = None


def met(message: str) -> Answer:
    """Answer of a clause that is met: no remedy."""
    return Answer(Status.MET, message, "")


def not_applicable(message: str) -> Answer:
    """Answer of a clause that does not apply: no remedy."""
    return Answer(Status.NOT_APPLICABLE, message, "")


def violated(message: str, remedy: str, settled_by: ReviewAction | None = None) -> Answer:
    """Answer of a clause that is violated. Raises ValueError without a remedy."""
    return _refusal(Status.VIOLATED, message, remedy, settled_by)


def unknown(message: str, remedy: str, settled_by: ReviewAction | None = None) -> Answer:
    """Answer of a clause whose facts are unknown. Raises ValueError without a remedy."""
    return _refusal(Status.UNKNOWN, message, remedy, settled_by)


def _refusal(status: Status, message: str, remedy: str, settled_by: ReviewAction | None) -> Answer:
    if not message or not remedy:
        raise ValueError("a refusal needs a message and a remedy")
    return Answer(status, message, remedy, settled_by)


class Codes(Enum):
    """The closed set of reasons of one control: each member is an Answer, its code is its name in lower case."""

    @property
    def code(self) -> str:
        """The reason's code, as data and pages show it."""
        return _code_of(self._name_)

    def __call__(self, subject: str, **details: str | int) -> "Reason":
        """A reason with this code. `subject`: `commit:`, `path:`, `person:`, `account:`, `fact:`, ... and its value."""
        answer: Answer = self._value_
        return Reason(_code_of(self._name_), answer.status, subject, details)


@lru_cache(maxsize=1024)
def _code_of(name: str) -> str:
    return name.lower().replace("_", "-")


class Reason(Struct, frozen=True):
    """Reason of a result. `details` fill the sentences of its code."""

    code: str
    status: Status
    subject: str
    details: dict[str, str | int] = {}


class Unlearnt(Codes):
    """Reason of every control when a required fact is unknown."""

    FACT_UNKNOWN = unknown(
        "Required information is missing ({name}): {why}.",
        "Make it readable for Muniment, then check again.",
    )


class Case:
    """Input of a control: its facts, its parameters and the time of the evaluation.

    `derived` caches a value computed from the facts for all controls of one evaluation.
    """

    __slots__ = ("_derived", "_facts", "now", "parameters")

    def __init__(self, facts: Mapping[str, Maybe[Any]], parameters: Any, now: str, derived: dict[Any, Any]) -> None:
        self._facts = facts
        self._derived = derived
        self.parameters = parameters
        self.now = now

    def get(self, kind: Kind[T]) -> T:
        """The value of a fact. KeyError if it is none that the control reads, or was not learnt (see `unlearnt`)."""
        fact = self._facts[kind.name]
        if isinstance(fact, Unknown):
            raise KeyError(kind.name)
        value: T = fact.value
        return value

    def unlearnt(self, kinds: Iterable[Kind[Any]]) -> tuple[Reason, ...]:
        """A reason for each of `kinds` that could not be learnt; none if all are known."""
        facts = self._facts
        if Unknown not in map(type, facts.values()):
            return ()  # as nearly always
        return tuple(
            [
                Unlearnt.FACT_UNKNOWN(f"fact:{kind.name}", why=fact.reason)
                for kind in kinds
                if isinstance(fact := facts[kind.name], Unknown)
            ]
        )

    def derived(self, compute: Callable[["Case"], T]) -> T:
        """`compute(self)`, cached for this evaluation."""
        if compute not in self._derived:
            self._derived[compute] = compute(self)
        value: T = self._derived[compute]
        return value


class Control(Struct, frozen=True, dict=True):
    """Control of the catalogue. `judge` returns at least one reason, also when the clause is met; `version` changes
    with its meaning.

    Without any fact of `needs` the result is unknown and `judge` is not called. Facts that it `consults` in some cases
    only are for `judge` to ask after (`Case.unlearnt`).
    """

    name: str
    version: int
    summary: str
    scope: Scope
    needs: tuple[Kind[Any], ...]
    parameters: type[Struct]
    codes: type[Codes]
    judge: Callable[[Case], tuple[Reason, ...]]
    consults: tuple[Kind[Any], ...] = ()

    @cached_property
    def fact_names(self) -> tuple[str, ...]:
        """Names of the facts that it is given."""
        return tuple(kind.name for kind in self.facts)

    @cached_property
    def facts(self) -> tuple[Kind[Any], ...]:
        """The kinds of facts that it is given."""
        return tuple({kind.name: kind for kind in (*self.needs, *self.consults)}.values())


class NoParameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of a control that has none."""
