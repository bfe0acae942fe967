"""How a repository stands against each clause, from the judgement of its past: kept with the moment since when."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from django.utils import timezone

from muniment.controls.control import Status
from muniment.decision.account import Account, ResultTold
from muniment.errors import ConfigurationError
from muniment.server.policies.current import clauses
from muniment.server.products.models import ClauseState, Repository, State
from muniment.workflows.replay import Row, Summary


class Found(NamedTuple):
    """The state of one clause now."""

    state: State
    why: str
    held: int = 0
    judged: int = 0


def keep_states(repository: Repository, summary: Summary) -> None:
    """Keep what the summary says; a clause that the policy no longer has is dropped."""
    _keep(repository, {row.clause: _found(row) for row in summary.rows})


def keep_today(repository: Repository, summary: Summary) -> None:
    """Keep the states of the clauses that judge no change; those of the others stay as they are."""
    _keep(repository, {row.clause: _found(row) for row in summary.rows if row.today}, whole=False)


def keep_told(repository: Repository, told: Sequence[Account]) -> None:
    """Keep the states that decisions on merged changes give, as they were told; of other clauses nothing is said."""
    found: dict[str, list[ResultTold]] = {}
    for account in told:
        for result in account.results:
            found.setdefault(result.clause, []).append(result)
    _keep(repository, {clause: _of_results(results) for clause, results in found.items()}, whole=False)


def _of_results(results: Sequence[ResultTold]) -> Found:
    held = sum(one.status in ("satisfied", "not_applicable") for one in results)
    stopped = [one for one in results if one.status in ("violated", "unknown")]
    failing = [one for one in stopped if not one.exception]
    why = failing[0].reasons[0].message if failing and failing[0].reasons else ""
    if any(one.status == "violated" for one in failing):
        return Found(State.FAILS, why, held, len(results))
    if failing:
        return Found(State.UNKNOWN, why, held, len(results))
    return Found(State.EXCEPTED if stopped else State.HOLDS, "", held, len(results))


def all_unknown(repository: Repository, why: str) -> None:
    """Nothing could be learnt of the repository, so nothing holds: of what was judged before, and of the policy."""
    known = set(ClauseState.objects.filter(repository=repository).values_list("clause", flat=True))
    with suppress(ConfigurationError):  # where the policy itself is what cannot be read
        known |= {clause.id for clause in clauses()}
    _keep(repository, {clause: Found(State.UNKNOWN, why) for clause in known})


def _keep(repository: Repository, found: dict[str, Found], *, whole: bool = True) -> None:
    now = timezone.now()
    there = {row.clause: row for row in ClauseState.objects.select_for_update().filter(repository=repository)}
    if whole:
        ClauseState.objects.filter(pk__in=[row.pk for clause, row in there.items() if clause not in found]).delete()
    rows = list(_rows(repository, there, found))
    for row, new in rows:
        if row.state != new.state:
            row.since = now
        row.state, row.why, row.held, row.judged = new
    ClauseState.objects.bulk_create(
        [row for row, _ in rows],
        update_conflicts=True,
        unique_fields=["repository", "clause"],
        update_fields=["state", "since", "why", "held", "judged"],
    )


def _rows(
    repository: Repository, there: dict[str, ClauseState], found: dict[str, Found]
) -> Iterator[tuple[ClauseState, Found]]:
    for clause, new in found.items():
        old = there.get(clause)
        row = ClauseState(repository=repository, clause=clause, since=timezone.now(), state=new.state)
        if old is not None:
            row.since, row.state = old.since, old.state
        yield row, new


def _found(row: Row) -> Found:
    """Of a clause that no change is judged by, its state today; else the worst of what was judged."""
    if not row.control:
        return Found(State.UNCOVERED, "No control judges this clause yet.")
    if row.today:
        status, _, why = row.today.partition(": ")
        state = {
            "satisfied": State.HOLDS,
            "not_applicable": State.HOLDS,
            "excepted": State.EXCEPTED,
            "violated": State.FAILS,
        }
        return Found(state.get(status, State.UNKNOWN), why)
    held = row.counts[Status.SATISFIED] + row.counts[Status.NOT_APPLICABLE]
    judged = sum(row.counts.values())
    why = row.reasons[0].message if row.reasons else ""
    if row.excepted and held + row.excepted == judged:
        return Found(State.EXCEPTED, why, held, judged)
    if row.counts[Status.VIOLATED]:
        return Found(State.FAILS, why, held, judged)
    if row.counts[Status.UNKNOWN] or not judged:
        return Found(State.UNKNOWN, why or "No change was judged yet.", held, judged)
    return Found(State.HOLDS, "", held, judged)
