"""Replays the past of a branch of a git repository: collects the facts of each change, evaluates, keeps nothing.

The command line, the service's scan of a repository and its trial of another policy replay by this.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from muniment.decision.decision import Decision
from muniment.facts import kinds
from muniment.facts.change import Revision
from muniment.facts.facts import Fact, Facts
from muniment.facts.maybe import Known, Maybe
from muniment.git.branch_history import HistoryStep
from muniment.git.git_collector import GitCollector
from muniment.workflows.branch_replay import Replay

Extra = Mapping[str, Maybe[Any] | Fact]


class ReplayedChange(Struct, frozen=True):
    """Past change with the collected facts, and its decision by the policy of each replay."""

    step: HistoryStep
    facts: Facts
    decisions: tuple[Decision, ...]


def evaluate_past(
    collector: GitCollector,
    past: Iterable[HistoryStep],
    replays: Sequence[Replay],
    given: Extra,
    known: Extra,
    now: str,
) -> Iterator[ReplayedChange]:
    """Evaluate each past change for every replay, for the moment `now`.

    `given` are facts of the product, of which those are used that a replay needs; `known` belong to every change.
    """
    names = frozenset().union(*(replay.names for replay in replays))
    always = {**{name: read for name, read in given.items() if name in names}, **known}
    for step in past:
        read = {kinds.COMMITS.name: Known(step.commits), kinds.FILES.name: step.files}
        facts = collector.collect_facts(step.revision, names, {**always, **read})
        yield ReplayedChange(step, facts, tuple(replay.replay_change(facts, now) for replay in replays))


def collect_current_facts(collector: GitCollector, landed: Revision, names: Collection[str], *extra: Extra) -> Facts:
    """The facts by which clauses that evaluate no change have their state: of the product, and its newest commit."""
    return collector.collect_facts(landed, names, {name: read for facts in extra for name, read in facts.items()})
