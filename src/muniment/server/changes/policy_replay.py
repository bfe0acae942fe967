"""Replays another policy on a repository's last days: nothing of it is stored, and nothing is decided."""

from datetime import timedelta

from django.utils import timezone
from msgspec import Struct

from muniment.controls.control import ResultStatus
from muniment.decision.bound_policies import read_bound_policy
from muniment.git.branch_history import BranchHistory
from muniment.server import moments
from muniment.server.changes.product_rules import ProductRules
from muniment.server.changes.repository_context import (
    collect_known_facts,
    collect_product_facts,
    open_repository_context,
)
from muniment.server.products.models import Repository
from muniment.server.records.postgres_store import POLICY
from muniment.workflows.branch_replay import Replay, Summary
from muniment.workflows.replay_repository import HistoryEvaluator
from muniment.workflows.rule_sources import combine_policies

_MOST_CHANGES = 50  # that a trial names


class PolicyReplay(Struct, frozen=True):
    """Results of another policy for some changes: how many the current policy allows and how many it would, those
    whose result differs, and for each clause how many changes did not meet it, [now, then], None where there are
    none.
    """

    change_count: int
    allowed_now: int
    allowed_then: int
    differing_changes: list[list[str]]
    unmet_by_clause: dict[str, list[int | None]]


def replay_other_policy(repository: Repository, text: str, days: int) -> PolicyReplay:
    """Replay another policy on the last days. Nothing is stored.

    Raises GitError, ConfigurationError or UsageError.
    """
    now = moments.current_moment()
    with open_repository_context(repository) as found:
        tried = ProductRules(repository.product).complete_policy_here(read_bound_policy(text, POLICY))
        other = combine_policies(tried, found.rules.branch_policy)[0]
        since = moments.format_moment(timezone.now() - timedelta(days=days))
        target = found.main_branch
        past = BranchHistory(found.git, repository.name, target, found.branches[target], since=since)
        before, after = Replay(found.rules.policy, target), Replay(other, target)
        given = collect_product_facts(found, before.names | after.names, now)
        evaluator = HistoryEvaluator(
            found.git, found.rules.known_people, given, collect_known_facts(found.rules, now), now
        )
        differ: list[list[str]] = []
        for change in evaluator.evaluate_changes(past, [before, after]):
            one, two = (decision.outcome for decision in change.decisions)
            if one is not two and len(differ) < _MOST_CHANGES:
                differ.append([change.step.revision.head, one.value, two.value])
        one_summary, two_summary = before.build_summary(now), after.build_summary(now)
        now_, then = _count_unmet(one_summary), _count_unmet(two_summary)
        clauses: dict[str, list[int | None]] = {name: [now_.get(name), then.get(name)] for name in {**then, **now_}}
        return PolicyReplay(len(past), one_summary.allowed_count, two_summary.allowed_count, differ, clauses)


def _count_unmet(summary: Summary) -> dict[str, int]:
    return {
        row.clause: row.result_counts[ResultStatus.VIOLATED]
        + row.result_counts[ResultStatus.UNKNOWN]
        - row.exception_count
        for row in summary.clauses
    }
