"""Stored states of products, and the figures made of them, are those that the states of repositories give."""

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from muniment.access.authorization import Actor
from muniment.access.roles import EVERYWHERE, Grant, Role
from muniment.server.changes.clause_states import CurrentState, _save_states, store_all_unknown
from muniment.server.pages.overview_figures import read_overview_figures
from muniment.server.people.models import Person
from muniment.server.policies import state_snapshots
from muniment.server.policies.models import PolicyException, StateSnapshot
from muniment.server.policies.policy_in_force import current_policy
from muniment.server.policies.state_counts import (
    StateCounts,
    count_by_clause,
    find_excepted_checks,
    find_scope,
    is_evaluated,
    sum_counts,
)
from muniment.server.policies.state_snapshots import read_trend, store_snapshots
from muniment.server.products.models import ClauseResult, ClauseState, Product, ProductClauseState, Repository
from muniment.server.products.product_states import rebuild_product_states
from tests.support.service import as_role, person, product

pytestmark = pytest.mark.usefixtures("service")

EVERYBODY = Actor(person="ada", active=True, grants=(Grant(Role.SECURITY, EVERYWHERE),))
FEW = ("review.two-reviewers", "review.small-changes", "history.protected", "gone-clause")
PRODUCTS, REPOSITORIES = ("shop", "lab"), ("a", "b", "c")
MAIN = "refs/heads/main"
states = st.dictionaries(st.sampled_from(FEW), st.sampled_from(list(ClauseResult)), max_size=4)
operations = st.one_of(
    st.tuples(st.just("save"), st.sampled_from(REPOSITORIES), states, st.booleans()),
    st.tuples(st.just("unknown"), st.sampled_from(REPOSITORIES)),
    st.tuples(st.just("retire"), st.sampled_from(PRODUCTS), st.booleans()),
    st.tuples(
        st.just("except"),
        st.sampled_from(REPOSITORIES),
        st.sampled_from(FEW),
        st.sampled_from((MAIN, "refs/heads/other")),
        st.sampled_from(("", "f" * 40)),
        st.sampled_from((1, -1)),
    ),
    st.tuples(st.just("end"), st.sampled_from(REPOSITORIES)),
)


class Undo(Exception):
    """Takes back what an example wrote."""


@pytest.fixture
def filled() -> Iterator[None]:
    """Two products, of one and of two repositories, in a process that may write all of it."""
    person("ada", Role.SECURITY)
    with as_role("owner"):
        for slug, names in (("shop", "ab"), ("lab", "c")):
            made = product(slug)
            for name in names:
                Repository.objects.create(product=made, name=name, path=f"/nowhere/{name}")
        yield


def perform(operation: tuple[Any, ...], number: int) -> None:
    """Do what evaluations and acts do, each in a transaction."""
    with transaction.atomic():
        _perform(operation, number)


def _perform(operation: tuple[Any, ...], number: int) -> None:
    kind, name, *rest = operation
    if kind == "retire":
        Product.objects.filter(slug=name).update(retired_at=timezone.now() if rest[0] else None)
        return
    repository = Repository.objects.get(name=name)
    if kind == "save":
        new = {clause: CurrentState(state, "because") for clause, state in rest[0].items()}
        _save_states(repository, new, is_complete=rest[1])
    elif kind == "unknown":
        store_all_unknown(repository, "it cannot be read")
    elif kind == "except":
        clause, branch, head, days = rest
        grant_exception(repository, clause, branch=branch, head=head, days=days, slug=f"e{number}")
    else:
        PolicyException.objects.filter(repository=repository).update(ended_at=timezone.now())


def grant_exception(
    repository: Repository, clause: str, *, branch: str = MAIN, head: str = "", days: int = 1, slug: str = "e"
) -> None:
    ada, now = Person.objects.get(slug="ada"), timezone.now()
    PolicyException.objects.create(
        slug=slug, repository=repository, clause=clause, branch=branch, head=head, reason="x", requester=ada,
        approver=ada, approved_at=now, expires_at=now + timedelta(days=days),
    )  # fmt: skip


def compute_worst() -> dict[tuple[str, str], tuple[int, datetime]]:
    """Worst state of each product and clause, and since when, from the states of repositories alone."""
    rows = list(ClauseState.objects.select_related("repository__product"))
    found: dict[tuple[str, str], tuple[int, datetime]] = {}
    for key in {(row.repository.product.slug, row.clause) for row in rows}:
        mine = [row for row in rows if (row.repository.product.slug, row.clause) == key]
        worst = max(row.state for row in mine)
        found[key] = worst, min(row.changed_at for row in mine if row.state == worst)
    return found


def read_stored() -> dict[tuple[str, str], tuple[int, datetime]]:
    rows = ProductClauseState.objects.select_related("product")
    return {(row.product.slug, row.clause): (row.state, row.changed_at) for row in rows}


def compute_counts() -> dict[str, StateCounts]:
    """Counts of each clause, check by check."""
    policy = current_policy()
    assert policy is not None
    found = {}
    for clause in policy.clauses:
        states = Counter(
            compute_state(one, clause.id) if is_evaluated(clause) else ClauseResult.NOT_EVALUATED
            for one in Product.objects.filter(retired_at=None)
        )
        found[clause.id] = StateCounts(
            passing=states[ClauseResult.MET],
            excepted=states[ClauseResult.EXCEPTED],
            unknown=states[ClauseResult.UNKNOWN],
            failing=states[ClauseResult.VIOLATED],
            not_evaluated=states[ClauseResult.NOT_EVALUATED],
        )
    return found


def compute_state(one: Product, clause: str) -> int:
    """State of one check today: an exception counts for the repository that it is for."""
    worst = []
    for row in ClauseState.objects.filter(repository__product=one, clause=clause):
        exceptions = PolicyException.objects.filter(
            repository=row.repository, clause=clause, head="", ended_at=None, expires_at__gt=timezone.now()
        )
        covered = exceptions.exists() and row.state in (ClauseResult.UNKNOWN, ClauseResult.VIOLATED)
        worst.append(ClauseResult.EXCEPTED if covered else row.state)
    if ClauseResult.EXCEPTED in worst and max(worst) == ClauseResult.NOT_EVALUATED:
        return ClauseResult.EXCEPTED  # of one that fails, with one that is not evaluated
    return max(worst, default=ClauseResult.UNKNOWN)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(done=st.lists(operations, max_size=8))
def test_stored_states_and_figures_equal_computed_ones_after_any_changes(
    filled: None, done: list[tuple[Any, ...]]
) -> None:
    try:
        with transaction.atomic():
            for number, operation in enumerate(done):
                perform(operation, number)
            assert read_stored() == compute_worst()
            scope = find_scope(EVERYBODY)
            counts = count_by_clause(current_policy(), scope, find_excepted_checks(scope))
            assert counts == compute_counts()
            figures = read_overview_figures(EVERYBODY)
            assert sum_counts(one.counts for one in figures.sections) == figures.counts == sum_counts(counts.values())
            assert sum_counts(one.counts for one in figures.attention).failing == figures.counts.failing
            assert sum_counts(one.counts for one in figures.attention).unknown == figures.counts.unknown
            store_snapshots()
            assert read_failing_of_snapshots() == compute_failing() | {None: figures.counts.failing}
            assert rebuild_product_states() == 0
            raise Undo
    except Undo:
        pass


def read_failing_of_snapshots() -> dict[str | None, int]:
    rows = StateSnapshot.objects.filter(section="").select_related("product")
    return {row.product.slug if row.product else None: row.failing for row in rows}


def compute_failing() -> dict[str | None, int]:
    """How many evaluated clauses each active product fails, check by check."""
    policy = current_policy()
    assert policy is not None
    clauses = [clause.id for clause in policy.clauses if is_evaluated(clause)]
    return {
        one.slug: sum(compute_state(one, clause) == ClauseResult.VIOLATED for clause in clauses)
        for one in Product.objects.filter(retired_at=None)
    }


def test_rebuilding_mends_rows_that_something_else_wrote(filled: None) -> None:
    perform(("save", "a", {FEW[0]: ClauseResult.VIOLATED}, True), 0)
    expected = read_stored()
    ProductClauseState.objects.update(state=ClauseResult.MET)
    ProductClauseState.objects.create(
        product=Product.objects.get(slug="lab"), clause="invented", state=0, changed_at=timezone.now()
    )
    assert rebuild_product_states() == 2
    assert read_stored() == expected


def test_unchanged_states_are_not_written_again(filled: None) -> None:
    perform(("save", "a", {FEW[0]: ClauseResult.MET}, True), 0)
    before = ProductClauseState.objects.get().pk
    ProductClauseState.objects.update(changed_at=ClauseState.objects.get().changed_at)
    perform(("save", "a", {FEW[0]: ClauseResult.MET}, True), 1)
    assert ProductClauseState.objects.get().pk == before
    assert rebuild_product_states() == 0


def test_actor_sees_figures_of_own_products_alone(filled: None) -> None:
    perform(("save", "a", {FEW[0]: ClauseResult.VIOLATED}, True), 0)
    perform(("save", "c", dict.fromkeys(FEW[:2], ClauseResult.VIOLATED), True), 1)
    mine = Actor(person="bob", active=True, grants=(Grant(Role.DEVELOPER, "shop"),))
    found = read_overview_figures(mine)
    assert (found.product_count, found.counts.failing) == (1, 1)
    assert [one.slug for one in found.attention] == ["shop"]
    nobody = read_overview_figures(Actor(person="eve", active=True))
    assert (nobody.product_count, nobody.counts.total, nobody.attention) == (0, 0, ())


def test_product_with_most_failing_checks_comes_first_and_list_is_bounded(
    filled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    perform(("save", "a", {FEW[0]: ClauseResult.VIOLATED}, True), 0)
    perform(("save", "c", dict.fromkeys(FEW[:2], ClauseResult.VIOLATED), True), 1)
    assert [one.slug for one in read_overview_figures(EVERYBODY).attention] == ["lab", "shop"]
    lab = Repository.objects.get(name="c")
    for clause in FEW[:2]:
        grant_exception(lab, clause, slug=clause)
    assert read_overview_figures(EVERYBODY).attention[0].slug == "shop"
    monkeypatch.setattr("muniment.server.pages.overview_figures.ATTENTION", 1)
    assert [one.slug for one in read_overview_figures(EVERYBODY).attention] == ["shop"]


def test_trend_is_by_week_until_two_quarters_are_there(filled: None) -> None:
    today, scope = date(2026, 11, 24), find_scope(EVERYBODY)
    current = StateCounts(passing=3, failing=1)
    assert [one.counts for one in read_trend(scope, current, today)] == [current]
    for weeks in range(1, 21):  # the end of one quarter is among them
        make_snapshot(today - timedelta(days=today.weekday(), weeks=weeks), passing=1, failing=1)
    found = read_trend(scope, current, today)
    assert [found[0].label, found[-1].label, len(found)] == ["6 Jul", "23 Nov", 21]
    assert state_snapshots.find_change_in_points(found) == 25
    make_snapshot(date(2026, 6, 29), passing=1)
    assert [one.label for one in read_trend(scope, current, today)] == ["Q2 26", "Q3 26", "Q4 26"]


def make_snapshot(week: date, **counts: int) -> None:
    StateSnapshot.objects.create(product=None, week=week, **counts)


def test_snapshot_of_week_is_replaced_and_one_of_past_week_stays(filled: None) -> None:
    perform(("save", "a", {FEW[0]: ClauseResult.VIOLATED}, True), 0)
    monday = datetime(2026, 11, 23, tzinfo=timezone.get_default_timezone())
    assert store_snapshots(monday)
    perform(("save", "a", {FEW[0]: ClauseResult.MET}, True), 1)
    assert store_snapshots(monday + timedelta(days=6))
    assert store_snapshots(monday + timedelta(days=6)) == 0
    assert store_snapshots(monday + timedelta(days=7))
    rows = StateSnapshot.objects.filter(product=None, section="").order_by("week")
    assert [(row.week.day, row.failing) for row in rows] == [(23, 0), (30, 0)]
    Product.objects.filter(slug="lab").update(retired_at=timezone.now())
    store_snapshots(monday + timedelta(days=7))
    assert not StateSnapshot.objects.filter(product__slug="lab", week=date(2026, 11, 30)).exists()
    assert StateSnapshot.objects.filter(product__slug="lab", week=date(2026, 11, 23)).exists()
