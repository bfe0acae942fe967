"""States that two-person acts guard, as values, with the order by which one person alone may tighten them.

`Act.guarded_state()` reads them. tests/server/test_undoing_two_people.py runs every act, operation and task as one
person, and asserts that no guarded state ever becomes looser.
"""

from typing import Protocol, Self

from msgspec import Struct

GuardedFact = tuple[str, ...]  # names and values that people know, never a row's number


class GuardedState(Protocol):
    """State that two people decide on."""

    def is_looser_than(self, earlier: Self) -> bool:
        """Whether it permits something that `earlier` did not, or lost something that `earlier` protected."""


class GuardedFacts(Struct, frozen=True):
    """State of facts. One person alone may end a `permitted` fact, and add a `protected` one."""

    permitted: frozenset[GuardedFact] = frozenset()
    protected: frozenset[GuardedFact] = frozenset()

    def is_looser_than(self, earlier: Self) -> bool:
        """Whether something is permitted that was not, or is no longer protected."""
        return not (self.permitted <= earlier.permitted and self.protected >= earlier.protected)


class GuardedEnvironments(Struct, frozen=True):
    """Conditions for a deployment to each environment, by (product, environment)."""

    needed: dict[tuple[str, str], frozenset[GuardedFact]]

    def is_looser_than(self, earlier: Self) -> bool:
        """Whether an environment needs less than it did, or a new one less than all others and production need."""
        return any(not self._expected_facts(place, earlier) <= needed for place, needed in self.needed.items())

    def _expected_facts(self, place: tuple[str, str], earlier: Self) -> frozenset[GuardedFact]:
        product, _environment = place
        if place in earlier.needed:
            return earlier.needed[place]
        others = {("after", name) for slug, name in earlier.needed if slug == product and (slug, name) in self.needed}
        return frozenset({("production",), *others})
