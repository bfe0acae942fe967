"""Many further products of the demonstration, for pages with many rows: the products by acts, their results in bulk."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from muniment.server.acts.execution import execute_system_act
from muniment.server.acts.system_actors import SystemActor
from muniment.server.changes.demonstration_git import CommitDetails, DemonstrationRepository
from muniment.server.changes.models import Change, Decision
from muniment.server.changes.repository_acts import AddRepository
from muniment.server.policies.policy_in_force import current_clauses
from muniment.server.products.models import ClauseResult, ClauseState, Repository
from muniment.server.products.product_acts import AddProduct
from muniment.server.products.repository_folders import add_given_folder

COUNT = 2_000
_CHANGES = 10  # of each product
_AT_ONCE = 200  # products in one transaction
_RESULTS = (ClauseResult.MET, ClauseResult.MET, ClauseResult.MET, ClauseResult.VIOLATED, ClauseResult.UNKNOWN)


def add_products(folder: Path, switch_role: Callable[[str], None], count: int = COUNT) -> None:
    """Add `count` products with a repository, results and changes each. All of them share one small repository."""
    place = folder / "demonstration" / "many.git"
    git = DemonstrationRepository(place)
    details = CommitDetails("Jun Park <jun.park@alderhealth.example>", timezone.now(), "Begin")
    tip = git.write_commit({"README.md": "# One of many\n"}, (), details)
    git.write_ref("refs/heads/main", tip)
    for first in range(0, count, _AT_ONCE):
        numbers = range(first, min(first + _AT_ONCE, count))
        switch_role("operator")
        _add_rows(place, numbers)
        switch_role("worker")
        _add_results(numbers, tip)


def _name_product(number: int) -> str:
    return f"product-{number + 1:04}"


@transaction.atomic
def _add_rows(place: Path, numbers: range) -> None:
    add_given_folder(str(place))
    for number in numbers:
        slug = _name_product(number)
        values = {"id": slug, "name": f"Product {number + 1:04}"}
        execute_system_act(SystemActor.OPERATOR, AddProduct, values)
        execute_system_act(SystemActor.OPERATOR, AddRepository, {"product": slug, "name": slug, "path": str(place)})


@transaction.atomic
def _add_results(numbers: range, tip: str) -> None:
    now, clauses = timezone.now(), [clause.id for clause in current_clauses()]
    rows = {row.name: row for row in Repository.objects.filter(name__in=map(_name_product, numbers))}
    states: list[ClauseState] = []
    changes: list[Change] = []
    for number in numbers:
        repository = rows[_name_product(number)]
        for place, clause in enumerate(clauses):
            result = _RESULTS[(number + 3 * place) % len(_RESULTS)]
            reason = "" if result is ClauseResult.MET else "This result is invented."
            states.append(
                ClauseState(repository=repository, clause=clause, state=result, changed_at=now, reason=reason)
            )
        changes += [_make_change(repository, number, place, tip) for place in range(_CHANGES)]
    ClauseState.objects.bulk_create(states, batch_size=2_000)
    made = Change.objects.bulk_create(changes, batch_size=2_000)
    decisions = Decision.objects.bulk_create(
        [
            Decision(
                change=change,
                head=tip,
                allowed=place % 4 != 0,
                decided_at=change.updated_at,
                policy_digest="",
                inputs_digest=f"invented-{place % _CHANGES}",
            )
            for place, change in enumerate(made)
        ],
        batch_size=2_000,
    )
    for change, decision in zip(made, decisions, strict=True):
        change.decision = decision
    Change.objects.bulk_update(made, ["decision"], batch_size=2_000)


def _make_change(repository: Repository, number: int, place: int, tip: str) -> Change:
    return Change(
        repository=repository,
        name=f"invented-{place}",
        target="refs/heads/main",
        state=Change.State.MERGED if place % 3 else Change.State.OPEN,
        title=f"Invented change {place}",
        head=tip,
        updated_at=timezone.now() - timedelta(days=(number + 17 * place) % 170),
    )
