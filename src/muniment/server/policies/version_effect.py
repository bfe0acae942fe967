"""Differences of a policy from the one in force, and its effect on the changes of the last 90 days, for pages."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from muniment.access.authorization import Actor
from muniment.decision.bound_policies import read_bound_policy
from muniment.decision.clause_contradictions import Contradiction, find_contradictions
from muniment.decision.comparison import Direction, PolicyDifference
from muniment.errors import PolicyError
from muniment.policy.document import parse_policy
from muniment.server.policies.clause_comparison import ClauseComparison, compare_clauses
from muniment.server.policies.differences import find_policy_differences
from muniment.server.policies.models import PolicyTrial, PolicyVersion
from muniment.server.policies.policy_in_force import current_clauses
from muniment.server.products.models import Product
from muniment.server.products.visible_products import visible_product_filter
from muniment.server.records.postgres_store import POLICY


class TrialEffect(Struct, frozen=True):
    """Replay of one repository: its changes, how many each policy allows, and which come out otherwise."""

    product: str
    repository: str
    changes: int
    allowed_now: int
    allowed_then: int
    problem: str
    differing: tuple[tuple[str, str, str], ...]

    @property
    def difference(self) -> int:
        """By how many allowed changes the two policies differ."""
        return self.allowed_then - self.allowed_now


class VersionEffect(Struct, frozen=True):
    """Effect of a version. `whole` are differences outside the clauses; `changed` the clauses that differ."""

    whole: tuple[PolicyDifference, ...]
    changed: tuple[ClauseComparison, ...]
    unchanged: tuple[ClauseComparison, ...]
    trials: tuple[TrialEffect, ...]

    @property
    def weaker(self) -> int:
        """Number of clauses that become weaker; differences outside the clauses count as one each."""
        return self._count(Direction.WEAKER)

    @property
    def stricter(self) -> int:
        """Number of clauses that become stricter and nowhere weaker."""
        return self._count(Direction.STRICTER)

    @property
    def changes(self) -> int:
        """Number of changes that were replayed."""
        return sum(one.changes for one in self.trials)

    @property
    def newly_blocked(self) -> int:
        """By how many fewer changes would be allowed, over the repositories where fewer would."""
        return sum(max(-one.difference, 0) for one in self.trials)

    @property
    def newly_allowed(self) -> int:
        """By how many more changes would be allowed, over the repositories where more would."""
        return sum(max(one.difference, 0) for one in self.trials)

    def _count(self, direction: Direction) -> int:
        found = [one.direction for one in self.changed] + [one.direction for one in self.whole]
        return found.count(direction)


def read_version_effect(version: PolicyVersion, actor: Actor) -> VersionEffect:
    """Read what a version changes and would have done, of the products that the actor may see.

    Of one that was applied already there is nothing to compare. Raises PolicyError for a text that is no policy.
    """
    pending = version.applied_at is None
    differences = find_policy_differences(version.text) if pending else ()
    trials = list(_find_trials(version, actor)) if pending else []
    clauses = parse_policy(version.text, POLICY).clauses
    contradictions = find_all_contradictions(version.text)
    old = current_clauses() if pending else ()
    sides = tuple(compare_clauses(clauses, old, differences, trials, contradictions))
    return VersionEffect(
        whole=tuple(one for one in differences if not one.clause),
        changed=tuple(one for one in sides if one.differences),
        unchanged=tuple(one for one in sides if not one.differences),
        trials=tuple(_describe_trial(row) for row in trials),
    )


def find_all_contradictions(text: str) -> Mapping[str, tuple[Contradiction, ...]]:
    """Contradictions of each clause of a policy's text, without clauses that have none."""
    try:
        bound = read_bound_policy(text, POLICY).clauses
    except PolicyError:  # of an older program: its controls are unknown, and nothing can be compared
        return {}
    return {one.clause.id: found for one in bound if (found := find_contradictions(one))}


def _find_trials(version: PolicyVersion, actor: Actor) -> Iterable[PolicyTrial]:
    visible = Product.objects.filter(visible_product_filter(actor))
    rows = PolicyTrial.objects.filter(version=version, repository__product__in=visible)
    return rows.select_related("repository__product").order_by("repository__product__name", "repository__name")


def _describe_trial(row: PolicyTrial) -> TrialEffect:
    return TrialEffect(
        product=row.repository.product.name,
        repository=row.repository.name,
        changes=row.change_count,
        allowed_now=row.allowed_now,
        allowed_then=row.allowed_then,
        problem=row.problem,
        differing=tuple((str(head), str(before), str(after)) for head, before, after in row.differing_changes),
    )
