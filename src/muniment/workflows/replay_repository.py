"""Replays the past of a branch of a git repository: collects the facts of each change, evaluates, keeps nothing.

The command line, the service's scan of a repository and its trial of another policy replay by this.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from msgspec import Struct

from muniment.decision.decision import Decision
from muniment.facts import canonical, kinds
from muniment.facts.facts import Fact, Facts
from muniment.facts.maybe import Known, Maybe
from muniment.facts.people import People
from muniment.git.branch_history import HistoryStep
from muniment.git.git_collector import GitCollector
from muniment.git.repository import Repository
from muniment.ledger import record_kinds, record_objects
from muniment.workflows.branch_replay import Replay, Summary

_Appended = TypeVar("_Appended")
FactsByName = Mapping[str, Maybe[object] | Fact]


class ReplayedChange(Struct, frozen=True):
    """Past change with the collected facts, and its decision by the policy of each replay."""

    step: HistoryStep
    facts: Facts
    decisions: tuple[Decision, ...]


class HistoryEvaluator:
    """Evaluates past changes of one open repository by the people and product of today, for the moment `now`.

    `given` are facts of the product, of which those are used that a replay needs; `known` belong to every change.
    """

    def __init__(
        self, repository: Repository, people: Maybe[People], given: FactsByName, known: FactsByName, now: str
    ) -> None:
        self._collector = GitCollector(repository, people, now)
        self._given = given
        self._known = known
        self._now = now

    def evaluate_changes(self, past: Iterable[HistoryStep], replays: Sequence[Replay]) -> Iterator[ReplayedChange]:
        """Evaluate each past change once for every replay; its facts are collected once."""
        names = frozenset().union(*(replay.names for replay in replays))
        always = {**{name: read for name, read in self._given.items() if name in names}, **self._known}
        for step in past:
            read = {kinds.COMMITS.name: Known(step.commits), kinds.FILES.name: step.files}
            facts = self._collector.collect_facts(step.revision, names, {**always, **read})
            yield ReplayedChange(step, facts, tuple(replay.replay_change(facts, self._now) for replay in replays))

    def collect_current_facts(self, name: str, target: str, tip: str, names: Collection[str]) -> Facts:
        """Facts `names` of the clauses that evaluate no change: of the product, and of the newest commit of a branch.

        `name` is the repository's in the policy, `target` a full ref, `tip` its commit.
        """
        newest = self._collector.make_landed_revision(name, target, tip)
        return self._collector.collect_facts(newest, names, {**self._given, **self._known})


def record_replay(
    append: Callable[[record_kinds.AnyEntry, tuple[object, ...]], _Appended],
    place: str,
    summary: Summary,
    tip: str,
    now: str,
) -> _Appended:
    """Append the record of a replay of a branch up to `tip` by `append`. Gives what `append` gave."""
    details = record_objects.ReplaySummary(summary, record_objects.draw_salt())
    entry = record_kinds.ReplayRecord(
        time=now,
        object=canonical.digest_value(details),
        repository_location=place,
        target=summary.target,
        policy=summary.policy,
        head=tip,
        change_count=summary.change_count,
        allowed_count=summary.allowed_count,
    )
    return append(entry, (details,))
