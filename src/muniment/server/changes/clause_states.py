"""Stores how a repository meets each clause, from the evaluation of its history, with the moment since when."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from django.utils import timezone

from muniment.controls.control import ResultStatus
from muniment.decision.report import DecisionReport, ResultReport
from muniment.errors import ConfigurationError
from muniment.server.policies.policy_in_force import current_clauses
from muniment.server.products.models import ClauseResult, ClauseState, Repository
from muniment.server.products.product_states import lock_product_states, update_product_states
from muniment.workflows.branch_replay import ClauseSummary, Summary


class CurrentState(NamedTuple):
    """Current state of one clause, with its reason."""

    state: ClauseResult
    why: str
    held: int = 0
    evaluated: int = 0


def store_summary_states(repository: Repository, summary: Summary) -> None:
    """Store the states of a summary; those of clauses that the policy no longer has are removed."""
    _save_states(repository, {row.clause: _summarise_clause(row) for row in summary.clauses})


def store_current_states(repository: Repository, summary: Summary) -> None:
    """Store the states of the clauses that evaluate no change; those of the others stay as they are."""
    _save_states(
        repository,
        {row.clause: _summarise_clause(row) for row in summary.clauses if row.current_result},
        is_complete=False,
    )


def store_reported_states(repository: Repository, reports: Sequence[DecisionReport]) -> None:
    """Store the states that decisions on merged changes report; those of other clauses stay."""
    found: dict[str, list[ResultReport]] = {}
    for account in reports:
        for result in account.results:
            found.setdefault(result.clause, []).append(result)
    _save_states(repository, {clause: _derive_state(results) for clause, results in found.items()}, is_complete=False)


def _derive_state(results: Sequence[ResultReport]) -> CurrentState:
    held = sum(one.status in ("met", "not_applicable") for one in results)
    stopped = [one for one in results if one.status in ("violated", "unknown")]
    failing = [one for one in stopped if not one.exception]
    why = failing[0].reasons[0].message if failing and failing[0].reasons else ""
    if any(one.status == "violated" for one in failing):
        return CurrentState(ClauseResult.VIOLATED, why, held, len(results))
    if failing:
        return CurrentState(ClauseResult.UNKNOWN, why, held, len(results))
    return CurrentState(ClauseResult.EXCEPTED if stopped else ClauseResult.MET, "", held, len(results))


def store_all_unknown(repository: Repository, reason: str) -> None:
    """Make the clauses of the policy, and those evaluated before, unknown: the repository cannot be read."""
    known = set(ClauseState.objects.filter(repository=repository).values_list("clause", flat=True))
    with suppress(ConfigurationError):  # where the policy itself is what cannot be read
        known |= {clause.id for clause in current_clauses()}
    _save_states(repository, {clause: CurrentState(ClauseResult.UNKNOWN, reason) for clause in known})


def store_unknown_states(repository: Repository, clauses: Iterable[str], reason: str) -> None:
    """Make some clauses unknown: what they need cannot be read; the others stay as they are."""
    _save_states(
        repository, {clause: CurrentState(ClauseResult.UNKNOWN, reason) for clause in clauses}, is_complete=False
    )


def _save_states(repository: Repository, new_states: dict[str, CurrentState], *, is_complete: bool = True) -> None:
    # Before the rows of the repository: the sum of a product is made of all its repositories, and two of them that are
    # evaluated together would each add up the other's former states.
    lock_product_states(repository.product_id)
    now = timezone.now()
    there = {row.clause: row for row in ClauseState.objects.select_for_update().filter(repository=repository)}
    if is_complete:
        ClauseState.objects.filter(
            pk__in=[row.pk for clause, row in there.items() if clause not in new_states]
        ).delete()
    rows = list(_pair_states(repository, there, new_states))
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
    update_product_states(repository.product_id)


def _pair_states(
    repository: Repository, old_states: dict[str, ClauseState], new_states: dict[str, CurrentState]
) -> Iterator[tuple[ClauseState, CurrentState]]:
    for clause, new in new_states.items():
        old = old_states.get(clause)
        row = ClauseState(repository=repository, clause=clause, changed_at=timezone.now(), state=new.state)
        if old is not None:
            row.changed_at, row.state = old.changed_at, old.state
        yield row, new


def _summarise_clause(row: ClauseSummary) -> CurrentState:
    """State of a clause: of one that evaluates no change its current one; else the worst of its changes."""
    if not row.control:
        return CurrentState(ClauseResult.NOT_EVALUATED, "No control evaluates this clause.")
    if row.current_result:
        status, _, why = row.current_result.partition(": ")
        state = {
            "met": ClauseResult.MET,
            "not_applicable": ClauseResult.MET,
            "excepted": ClauseResult.EXCEPTED,
            "violated": ClauseResult.VIOLATED,
        }
        return CurrentState(state.get(status, ClauseResult.UNKNOWN), why)
    held = row.result_counts[ResultStatus.MET] + row.result_counts[ResultStatus.NOT_APPLICABLE]
    evaluated = sum(row.result_counts.values())
    why = row.reasons[0].message if row.reasons else ""
    if row.exception_count and held + row.exception_count == evaluated:
        return CurrentState(ClauseResult.EXCEPTED, why, held, evaluated)
    if row.result_counts[ResultStatus.VIOLATED]:
        return CurrentState(ClauseResult.VIOLATED, why, held, evaluated)
    if row.result_counts[ResultStatus.UNKNOWN] or not evaluated:
        return CurrentState(ClauseResult.UNKNOWN, why or "No change was evaluated yet.", held, evaluated)
    return CurrentState(ClauseResult.MET, "", held, evaluated)
