"""Comparison of a policy with the one in force: for each clause the sentence, its control, and the replayed
results.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from muniment.decision.clause_contradictions import Contradiction
from muniment.decision.comparison import Direction, PolicyDifference
from muniment.policy.model import Clause
from muniment.server.policies.models import PolicyTrial


class ClauseComparison(Struct, frozen=True):
    """Clause, then and now; None where a policy does not have it. Of the replayed changes of the last days,
    `before` did not meet it by the policy in force, and `after` do not by the other one; None where nothing was
    replayed.
    """

    new: Clause | None
    old: Clause | None
    differences: tuple[PolicyDifference, ...]
    before: int | None
    after: int | None
    contradictions: tuple[Contradiction, ...] = ()

    @property
    def clause(self) -> Clause:
        """Clause to show: the new one if there is any."""
        found = self.new or self.old
        if found is None:
            raise LookupError("neither policy has the clause")
        return found

    @property
    def direction(self) -> Direction:
        """Direction of all differences."""
        return find_direction(self.differences)


def find_direction(differences: Iterable[PolicyDifference]) -> Direction:
    """Direction of several differences: weaker if any is, else stricter if any is."""
    found = {one.direction for one in differences}
    return next((one for one in (Direction.WEAKER, Direction.STRICTER) if one in found), Direction.NEUTRAL)


def compare_clauses(
    new: Sequence[Clause],
    old: Sequence[Clause],
    differences: Iterable[PolicyDifference],
    trials: Iterable[PolicyTrial],
    contradictions: Mapping[str, tuple[Contradiction, ...]],
) -> Iterator[ClauseComparison]:
    """Every clause of either: those of the new policy in its order, then those that it no longer has."""
    after = {clause.id: clause for clause in new}
    before = {clause.id: clause for clause in old}
    changed: dict[str, list[PolicyDifference]] = {}
    for difference in differences:
        changed.setdefault(difference.clause, []).append(difference)
    counts = _count_unmet_changes(trials)
    for name in {**after, **before}:
        stopped = counts.get(name, (None, None))
        yield ClauseComparison(
            after.get(name),
            before.get(name),
            tuple(changed.get(name, ())),
            *stopped,
            contradictions.get(name, ()) if name in after else (),
        )


def _count_unmet_changes(trials: Iterable[PolicyTrial]) -> dict[str, tuple[int | None, int | None]]:
    """Over all repositories, for each clause: how many changes did not meet it, now and then."""
    found: dict[str, tuple[int | None, int | None]] = {}
    for trial in trials:
        for clause, (now, then) in trial.unmet_by_clause.items():
            one, two = found.get(clause, (None, None))
            found[clause] = (_add_counts(one, now), _add_counts(two, then))
    return found


def _add_counts(first: int | None, second: int | None) -> int | None:
    return first if second is None else (first or 0) + second
