"""A policy beside the one that holds: for each clause the sentence, what judges it, what its change would have done."""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from muniment.decision.comparison import Difference
from muniment.policy.model import Clause
from muniment.server.policies.models import PolicyTrial


class Side(Struct, frozen=True):
    """One clause, then and now; None where a policy does not have it. Of the last days' changes, `before` of those
    tried did not hold by the policy of now, and `after` do not by the other one; None where nothing was tried.
    """

    new: Clause | None
    old: Clause | None
    differences: tuple[Difference, ...]
    before: int | None
    after: int | None

    @property
    def clause(self) -> Clause:
        """Its words: the new ones if there are any."""
        found = self.new or self.old
        if found is None:
            raise LookupError("neither policy has the clause")
        return found

    @property
    def other(self) -> bool:
        """Whether it says anything else than it does now."""
        return bool(self.differences)


def sides(
    new: Sequence[Clause], old: Sequence[Clause], differences: Iterable[Difference], trials: Iterable[PolicyTrial]
) -> Iterator[Side]:
    """Every clause of either: those of the new policy in its order, then what it no longer has."""
    after = {clause.id: clause for clause in new}
    before = {clause.id: clause for clause in old}
    changed: dict[str, list[Difference]] = {}
    for difference in differences:
        changed.setdefault(difference.clause, []).append(difference)
    counts = _counts(trials)
    for name in {**after, **before}:
        stopped = counts.get(name, (None, None))
        yield Side(after.get(name), before.get(name), tuple(changed.get(name, ())), *stopped)


def _counts(trials: Iterable[PolicyTrial]) -> dict[str, tuple[int | None, int | None]]:
    """Over all repositories, for each clause: how many changes it did not hold for, now and then."""
    found: dict[str, tuple[int | None, int | None]] = {}
    for trial in trials:
        for clause, (now, then) in trial.unmet_by_clause.items():
            one, two = found.get(clause, (None, None))
            found[clause] = (_sum(one, now), _sum(two, then))
    return found


def _sum(one: int | None, other: int | None) -> int | None:
    return one if other is None else (one or 0) + other
