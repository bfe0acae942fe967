"""Facts of an evaluation: a map from name to value, each with its source, moment and salted digest."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Generic, TypeVar

from msgspec import Struct

from muniment.facts import canonical, moments
from muniment.facts.maybe import Known, Maybe, Unknown

T = TypeVar("T")
_T_co = TypeVar("_T_co", covariant=True)
_NOT_COLLECTED = Unknown("it was not collected")


class FactKind(Struct, Generic[_T_co], frozen=True):
    """Kind of a fact: its name, and the shape of its value. All of them stand in `facts.kinds`.

    `good_for`: minutes after which the value counts as unknown; 0 for a fact that never changes.
    """

    name: str
    shape: Any
    good_for: int = 0


class StoredFact(Struct, frozen=True):
    """Fact as it is stored and committed to: its canonical JSON. Fields as in Fact."""

    value: Any
    source: str
    read_at: str
    salt: str


class Fact(Struct, frozen=True):
    """Fact with its salt. `salt` is drawn afresh by the collector (32 hexadecimal digits), so a digest alone reveals
    nothing.

    `read_at` is RFC 3339, UTC. Source, moment and value are committed to together. A known value whose parts are stored
    as objects of their own (people) is committed to by `reference`, the digest of the list of those objects; "" for a
    value that is stored whole.
    """

    value: Any
    source: str
    read_at: str
    salt: str
    reference: str = ""

    @property
    def stored_fact(self) -> StoredFact:
        """Value that is stored and digested, or the reference that stands for it."""
        value = Known(self.reference) if self.reference else self.value
        return StoredFact(value, self.source, self.read_at, self.salt)

    @property
    def digest(self) -> str:
        """Commitment to this fact."""
        return canonical.digest_value(self.stored_fact)


class Facts:
    """Facts by name. One that was not collected is Unknown, like one that could not be read."""

    def __init__(self, facts: Mapping[str, Fact]) -> None:
        self._facts = dict(facts)

    @cached_property
    def digest(self) -> str:
        """Commitment to all facts."""
        return canonical.digest_value({name: fact.digest for name, fact in self._facts.items()})

    def get(self, kind: FactKind[T]) -> Maybe[T]:
        """Value of a kind, however old."""
        fact = self._facts.get(kind.name)
        return _NOT_COLLECTED if fact is None else fact.value

    def get_at(self, kind: FactKind[T], now: str) -> Maybe[T]:
        """Value of a kind for an evaluation at the moment `now`: Unknown once it is too old."""
        fact = self._facts.get(kind.name)
        if fact is None:
            return _NOT_COLLECTED
        if kind.good_for and not fact.read_at <= now < moments.add_time(fact.read_at, minutes=kind.good_for):
            return Unknown(f"it was read at {fact.read_at}, and counts for {kind.good_for} minutes only")
        value: Maybe[T] = fact.value
        return value

    def items(self) -> Mapping[str, Fact]:
        """List all facts by name."""
        return dict(self._facts)
