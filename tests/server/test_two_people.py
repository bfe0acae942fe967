"""Decisions of two people cannot be undone by one person: by deletion, by re-creation, or by concurrency."""

import threading
from typing import Any

import pytest
from django.db import connections, transaction

from muniment.access.authorization import Actor
from muniment.access.roles import Grant, Role
from muniment.errors import RefusedError
from muniment.server.acts.parser import parse_act
from muniment.server.people.models import Bootstrap, Person, RoleGrant
from muniment.server.people.role_acts import GrantRole
from muniment.server.products.models import Environment, Product
from muniment.server.requests.execution import perform_act
from muniment.server.requests.models import Request
from tests.support.service import as_role, browser, person, post, product

pytestmark = pytest.mark.usefixtures("service")


def environments() -> list[tuple[str, int, bool]]:
    rows = Environment.objects.filter(ended_at=None)
    return list(rows.values_list("name", "order", "production"))


def approve_request(handle: str) -> str:
    waiting = Request.objects.get(state=Request.State.WAITING)
    return post(browser(Person.objects.get(slug=handle)), f"/requests/{waiting.pk}", answer="agree")


@pytest.fixture
def owner() -> Any:
    """Owner of a product where staging comes before production; sam is a security officer."""
    shop = product("shop")
    person("sam", Role.SECURITY)
    with as_role("owner"):
        for order, name in enumerate(("staging", "production"), 1):
            Environment.objects.create(product=shop, name=name, order=order, production=name == "production")
    return browser(person("own", Role.OWNER))


def test_one_person_cannot_move_an_environment_last_by_deleting_and_adding_it(owner: Any) -> None:
    before = environments()
    page = post(owner, "/products/shop/environments/parts", act="remove-environment", environment="staging")
    assert "waits for a second person" in page
    post(owner, "/products/shop/environments/parts", act="add-environment", name="staging")
    assert environments() == before
    approve_request("sam")
    assert environments() == [("production", 2, True)]


def test_environment_removed_by_one_person_comes_back_equally_strict(owner: Any) -> None:
    post(owner, "/products/shop/environments/parts", act="remove-environment", environment="production")
    assert environments() == [("staging", 1, False)]
    post(owner, "/products/shop/environments/parts", act="add-environment", name="production")
    assert environments() == [("staging", 1, False), ("production", 2, True)]


def test_adding_sensitive_paths_takes_one_person_and_removing_one_takes_two(owner: Any) -> None:
    def describe(paths: str) -> str:
        post(owner, "/products/shop/change", act="change-product", name="Shop", sensitive=paths)
        return Product.objects.get(slug="shop").sensitive_patterns

    assert describe("auth/**") == "auth/**"
    assert describe("keys/**\nauth/**") == "keys/**\nauth/**"
    assert describe("") == describe("auth/*\nkeys/**") == "keys/**\nauth/**"
    waiting = list(Request.objects.filter(state=Request.State.WAITING))
    assert [row.action for row in waiting] == ["remove-sensitive-paths"] * 2
    assert "remove the sensitive paths keys/**, auth/**" in waiting[0].summary
    post(browser(Person.objects.get(slug="sam")), f"/requests/{waiting[0].pk}", answer="agree")
    assert Product.objects.get(slug="shop").sensitive_patterns == ""


def test_act_is_not_executed_after_its_requester_lost_the_role(owner: Any) -> None:
    post(
        owner,
        "/products/shop/environments/change",
        act="change-environment",
        environment="staging",
        order="3",
        production="no",
    )
    with as_role("owner"):
        RoleGrant.objects.filter(person="own").delete()
        person("own", Role.OWNER, product=product("other"))
    assert "may no longer request this" in approve_request("sam")
    assert environments() == [("staging", 1, False), ("production", 2, True)]


def run_concurrently(*acts: Any) -> list[str]:
    """Run the functions in threads, each in a transaction that begins before another ends; an outcome for each."""
    begun, outcomes = threading.Barrier(len(acts)), []

    def run(act: Any) -> None:
        try:
            with transaction.atomic():
                Person.objects.count()
                begun.wait(20)
                act()
            outcomes.append("done")
        except RefusedError as error:
            outcomes.append(error.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(outcomes)


def administrator(handle: str) -> Actor:
    return Actor(person(handle, Role.ADMIN).pk, active=True, grants=(Grant(Role.ADMIN),), second_factor=True)


def test_one_of_two_concurrent_identical_requests_is_accepted() -> None:
    with as_role("owner"):
        Bootstrap.objects.create(id=1, finished=True)
    actors = [administrator("ada"), administrator("adb")]
    person("new")

    def request(actor: Actor) -> Any:
        fields = {"person": "new", "role": Role.SECURITY.value}
        return lambda: perform_act(actor, parse_act(GrantRole, fields, actor))

    assert run_concurrently(*map(request, [*actors, actors[0]])) == ["already-requested", "already-requested", "done"]
    assert Request.objects.filter(state=Request.State.WAITING).count() == 1
