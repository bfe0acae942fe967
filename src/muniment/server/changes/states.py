"""How a repository stands against each clause, from the judgement of its past: kept with the moment since when."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from django.utils import timezone

from muniment.controls.control import Status
from muniment.decision.account import DecisionReport, ResultReport
from muniment.errors import ConfigurationError
from muniment.server.policies.current import clauses
from muniment.server.products.models import ClauseResult, ClauseState, Repository
from muniment.workflows.replay import ClauseSummary, Summary


class Found(NamedTuple):
    """The state of one clause now."""

    state: ClauseResult
    why: str
    held: int = 0
    judged: int = 0


def keep_states(repository: Repository, summary: Summary) -> None:
    """Keep what the summary says; a clause that the policy no longer has is dropped."""
    _keep(repository, {row.clause: _found(row) for row in summary.clauses})


def keep_today(repository: Repository, summary: Summary) -> None:
    """Keep the states of the clauses that judge no change; those of the others stay as they are."""
    _keep(repository, {row.clause: _found(row) for row in summary.clauses if row.current_result}, whole=False)


def keep_told(repository: Repository, told: Sequence[DecisionReport]) -> None:
    """Keep the states that decisions on merged changes give, as they were told; of other clauses nothing is said."""
    found: dict[str, list[ResultReport]] = {}
    for account in told:
        for result in account.results:
            found.setdefault(result.clause, []).append(result)
    _keep(repository, {clause: _of_results(results) for clause, results in found.items()}, whole=False)


def _of_results(results: Sequence[ResultReport]) -> Found:
    held = sum(one.status in ("met", "not_applicable") for one in results)
    stopped = [one for one in results if one.status in ("violated", "unknown")]
    failing = [one for one in stopped if not one.exception]
    why = failing[0].reasons[0].message if failing and failing[0].reasons else ""
    if any(one.status == "violated" for one in failing):
        return Found(ClauseResult.VIOLATED, why, held, len(results))
    if failing:
        return Found(ClauseResult.UNKNOWN, why, held, len(results))
    return Found(ClauseResult.EXCEPTED if stopped else ClauseResult.MET, "", held, len(results))


def all_unknown(repository: Repository, why: str) -> None:
    """Nothing could be learnt of the repository, so nothing holds: of what was judged before, and of the policy."""
    known = set(ClauseState.objects.filter(repository=repository).values_list("clause", flat=True))
    with suppress(ConfigurationError):  # where the policy itself is what cannot be read
        known |= {clause.id for clause in clauses()}
    _keep(repository, {clause: Found(ClauseResult.UNKNOWN, why) for clause in known})


def _keep(repository: Repository, found: dict[str, Found], *, whole: bool = True) -> None:
    now = timezone.now()
    there = {row.clause: row for row in ClauseState.objects.select_for_update().filter(repository=repository)}
    if whole:
        ClauseState.objects.filter(pk__in=[row.pk for clause, row in there.items() if clause not in found]).delete()
    rows = list(_rows(repository, there, found))
    for row, new in rows:
        if row.state != new.state:
            row.changed_at = now
        row.state, row.reason, row.met_count, row.evaluated_count = new
    ClauseState.objects.bulk_create(
        [row for row, _ in rows],
        update_conflicts=True,
        unique_fields=["repository", "clause"],
        update_fields=["state", "changed_at", "reason", "met_count", "evaluated_count"],
    )


def _rows(
    repository: Repository, there: dict[str, ClauseState], found: dict[str, Found]
) -> Iterator[tuple[ClauseState, Found]]:
    for clause, new in found.items():
        old = there.get(clause)
        row = ClauseState(repository=repository, clause=clause, changed_at=timezone.now(), state=new.state)
        if old is not None:
            row.changed_at, row.state = old.changed_at, old.state
        yield row, new


def _found(row: ClauseSummary) -> Found:
    """Of a clause that no change is judged by, its state today; else the worst of what was judged."""
    if not row.control:
        return Found(ClauseResult.NOT_EVALUATED, "No control evaluates this clause.")
    if row.current_result:
        status, _, why = row.current_result.partition(": ")
        state = {
            "met": ClauseResult.MET,
            "not_applicable": ClauseResult.MET,
            "excepted": ClauseResult.EXCEPTED,
            "violated": ClauseResult.VIOLATED,
        }
        return Found(state.get(status, ClauseResult.UNKNOWN), why)
    held = row.result_counts[Status.MET] + row.result_counts[Status.NOT_APPLICABLE]
    judged = sum(row.result_counts.values())
    why = row.reasons[0].message if row.reasons else ""
    if row.exception_count and held + row.exception_count == judged:
        return Found(ClauseResult.EXCEPTED, why, held, judged)
    if row.result_counts[Status.VIOLATED]:
        return Found(ClauseResult.VIOLATED, why, held, judged)
    if row.result_counts[Status.UNKNOWN] or not judged:
        return Found(ClauseResult.UNKNOWN, why or "No change was judged yet.", held, judged)
    return Found(ClauseResult.MET, "", held, judged)
