"""What another policy would have made of a repository's last days: nothing of it is kept, and nothing is decided."""

from datetime import timedelta

from django.utils import timezone
from msgspec import Struct

from muniment.controls.control import Status
from muniment.decision.policies import read_bound_policy
from muniment.facts.maybe import Known
from muniment.git.collect import GitCollector
from muniment.git.past import History
from muniment.server import moments
from muniment.server.changes.rules import ProductRules
from muniment.server.changes.scene import facts_of, known_of, scene
from muniment.server.products.models import Repository
from muniment.server.records.store import POLICY
from muniment.workflows.replay import Replay, Summary
from muniment.workflows.replay_repository import evaluate_past
from muniment.workflows.sources import effective_policy

_TOLD = 50  # changes that a trial names


class Tried(Struct, frozen=True):
    """What another policy would have made of some changes: how many the policy of now allows and how many it would,
    those that come out otherwise, and of each clause how many did not hold, [now, then], None where there is no such.
    """

    change_count: int
    allowed_now: int
    allowed_then: int
    differing_changes: list[list[str]]
    unmet_by_clause: dict[str, list[int | None]]


def try_policy(repository: Repository, text: str, days: int) -> Tried:
    """What another policy would have made of the last days. Nothing is kept.

    Raises GitError, ConfigurationError or UsageError.
    """
    now = moments.now()
    with scene(repository) as found:
        tried = ProductRules(repository.product).completed(read_bound_policy(text, POLICY))
        other = effective_policy(tried, found.rules.branch_policy)[0]
        since = moments.text(timezone.now() - timedelta(days=days))
        target = found.main
        past = History(found.git, repository.name, target, found.branches[target], since=since)
        collector = GitCollector(found.git, Known(found.rules.people), now)
        before, after = Replay(found.rules.policy, target), Replay(other, target)
        given = facts_of(found, before.names | after.names, now)
        differ: list[list[str]] = []
        for change in evaluate_past(collector, past, [before, after], given, known_of(found.rules, now), now):
            one, two = (decision.outcome for decision in change.decisions)
            if one is not two and len(differ) < _TOLD:
                differ.append([change.step.revision.head, one.value, two.value])
        one_summary, two_summary = before.summary(now), after.summary(now)
        now_, then = _not_held(one_summary), _not_held(two_summary)
        clauses: dict[str, list[int | None]] = {name: [now_.get(name), then.get(name)] for name in {**then, **now_}}
        return Tried(len(past), one_summary.allowed_count, two_summary.allowed_count, differ, clauses)


def _not_held(summary: Summary) -> dict[str, int]:
    return {
        row.clause: row.result_counts[Status.VIOLATED] + row.result_counts[Status.UNKNOWN] - row.exception_count
        for row in summary.clauses
    }
