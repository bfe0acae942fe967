"""Judge one revision: collect what its clauses need, judge it. A preview is neither recorded nor enforced."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, Protocol

from msgspec import Struct

from muniment.decision.binding import BoundPolicy
from muniment.decision.decision import Decision
from muniment.decision.judge import clauses_at, judge, needed
from muniment.facts import kinds
from muniment.facts.change import Revision
from muniment.facts.facts import Fact, Facts
from muniment.facts.maybe import Known, Maybe
from muniment.facts.statements import Freeze
from muniment.policy.model import Point
from muniment.workflows.sources import Rules
from muniment.workflows.supplies import fact

NOTHING_FROZEN: Maybe[tuple[Freeze, ...]] = Known(())


class Collector(Protocol):
    """Reads facts from wherever changes live."""

    def collect(self, revision: Revision, kinds: Collection[str], extra: Mapping[str, Maybe[Any] | Fact]) -> Facts:
        """The facts named by `kinds`, those in `extra` as given. What cannot be read is Unknown; it never raises."""


class Judgement(Struct, frozen=True):
    """A decision with what it came of."""

    decision: Decision
    policy: BoundPolicy
    facts: Facts


def judge_change(
    collector: Collector,
    rules: Rules,
    revision: Revision,
    point: Point,
    now: str,
    freezes: Maybe[tuple[Freeze, ...]] = NOTHING_FROZEN,
    given: Mapping[str, Fact] = MappingProxyType({}),
) -> Judgement:
    """The judgement of `revision` at `point` for the moment `now`. `freezes` are those of the home, if there is one.

    `given` are facts that others have read (`workflows.supplies`): of the product, and at `deploy` of the delivery.
    """
    names = needed(clauses_at(rules.policy, point, revision.target))
    known: dict[str, Maybe[Any] | Fact] = {
        **{name: read for name, read in given.items() if name in names},
        kinds.PEOPLE.name: fact(rules.known_people, "given", now, rules.people_reference),
        kinds.EXCEPTIONS.name: Known(rules.exceptions),
        kinds.FREEZES.name: freezes,
    }
    facts = collector.collect(revision, names, known)
    return Judgement(judge(rules.policy, facts, point, now), rules.policy, facts)
