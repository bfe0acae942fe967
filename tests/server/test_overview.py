"""The first page answers how well the policy is followed, and offers what the person may do."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from muniment.access.roles import Role
from muniment.server.changes.clause_states import CurrentState, _save_states
from muniment.server.pages.overview_page import make_cell
from muniment.server.pages.setup_checklist import forget_finished
from muniment.server.people.models import Person
from muniment.server.policies.models import StateSnapshot
from muniment.server.policies.state_counts import StateCounts
from muniment.server.policies.state_snapshots import begin_week
from muniment.server.products.models import ClauseResult, Repository
from muniment.server.registration import read_contributions
from tests.server.test_separation_of_duties import enough
from tests.support.service import as_role, browser, person, post, product

pytestmark = pytest.mark.usefixtures("service")


def read(client: Client, address: str = "/") -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def save(slug: str, states: dict[str, ClauseResult]) -> None:
    from django.db import transaction

    with as_role("worker"), transaction.atomic():
        repository = Repository.objects.get(product__slug=slug)
        _save_states(repository, {clause: CurrentState(state, "because") for clause, state in states.items()})


def test_overview_counts_checks_and_lists_worst_products() -> None:
    for slug in ("shop", "lab"):
        product(slug, f"/nowhere/{slug}")
    save("shop", {"review.two-reviewers": ClauseResult.VIOLATED, "review.small-changes": ClauseResult.MET})
    page = read(browser(person("max", Role.MANAGEMENT)))
    assert "1 of 60 checks" in page
    assert "58 checks are unknown" in page
    assert "Most failures are in Code review." in page
    assert page.index("/products/shop") < page.index("/products/lab")
    assert "Shop, Code review: 1 failing" in page
    assert "The first week is being recorded" in page
    assert "since" not in page.split("Policy status")[1].split("tiles")[0], "there is no earlier week"


def test_overview_names_change_since_last_week() -> None:
    product("shop", "/nowhere/shop")
    save("shop", {"review.two-reviewers": ClauseResult.MET})
    with as_role("worker"):
        week = begin_week(timezone.now().date()) - timedelta(weeks=1)
        StateSnapshot.objects.create(product=None, week=week, failing=10)
    page = read(browser(person("max", Role.MANAGEMENT)))
    assert "+3 points" in page
    assert "Trend by week" in page
    assert f"since {week.day} {week:%b}" in page


def test_overview_says_that_nothing_changed() -> None:
    product("shop", "/nowhere/shop")
    save("shop", {"review.two-reviewers": ClauseResult.MET})
    with as_role("worker"):
        week = begin_week(timezone.now().date()) - timedelta(weeks=1)
        StateSnapshot.objects.create(product=None, week=week, passing=1, unknown=29)
    page = read(browser(person("max", Role.MANAGEMENT)))
    assert "No change" in page
    assert "0 point" not in page


def test_overview_shows_only_some_of_all_that_waits() -> None:
    enough()
    for number in range(8):
        handle = person(f"eve{number}").slug
        post(browser(Person.objects.get(slug="amy")), f"/people/{handle}/role", act="grant-role", role="security")
    assert read(browser(Person.objects.get(slug="abe"))).count("Review request") == 6


def test_empty_overview_offers_next_step_to_those_who_may_take_it() -> None:
    assert "No product that you may see" in read(browser(person("dev", Role.DEVELOPER, product=None)))
    page = read(browser(person("ada", Role.ADMIN)), "/?overview")
    assert "No product yet" in page
    assert "Add product" in page
    assert "You have no role yet" in read(browser(person("eve")))


def test_administrator_sees_checklist_with_requests_until_all_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_finished()
    ada = browser(person("ada", Role.ADMIN))
    page = read(ada)
    assert "Set up Muniment" in page
    assert f"1 of {sum(len(app.setup) for app in read_contributions())} done" in page
    assert "Nothing is blocked yet." in page
    assert "<h1>Overview</h1>" in read(ada, "/?overview")
    assert "<h1>Overview</h1>" in read(browser(person("dev", Role.DEVELOPER)))
    monkeypatch.setattr("muniment.server.pages.overview_page.read_checklist", lambda _: None)
    assert "<h1>Overview</h1>" in read(ada)


@pytest.mark.parametrize(
    ("counts", "name"),
    [
        (StateCounts(passing=3, excepted=1, unknown=2, failing=1), "Shop, Secrets: 1 failing"),
        (StateCounts(passing=3, excepted=1, unknown=2), "Shop, Secrets: 2 unknown"),
        (StateCounts(passing=3, excepted=1), "Shop, Secrets: 1 exception"),
        (StateCounts(passing=3), "Shop, Secrets: passing"),
    ],
)
def test_cell_shows_worst_status(counts: StateCounts, name: str) -> None:
    assert make_cell("Shop", "Secrets", counts).name == name


def test_queries_do_not_grow_with_products() -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    viewer = browser(person("max", Role.MANAGEMENT))
    counted = []
    for first in (0, 12):
        for number in range(first, first + 12):
            product(f"p{number}", f"/nowhere/{number}")
            save(f"p{number}", {"review.two-reviewers": ClauseResult.VIOLATED})
        found = []
        for address in ("/", "/products"):
            read(viewer, address)
            with CaptureQueriesContext(connection) as caught:
                read(viewer, address)
            found.append(len(caught))
        counted.append(found)
    assert counted[0] == counted[1]
