"""Our own routes, called without rights, as each role and as a person of another product, by our own plugin; and a
fault in everything that our guards ask.
"""

import pytest

from muniment.access.roles import Role
from muniment.server.people.models import Person
from pytest_muniment.baselines import BaselineCalls
from pytest_muniment.findings import Problem, RouteResult
from pytest_muniment.guard_tests import GuardTester
from pytest_muniment.route_tests import REFUSED, RouteTester
from tests.support.design_testing import GUARDS, PRODUCT_ADDRESSES, make_app
from tests.support.service import finish_bootstrap, person, product

pytestmark = pytest.mark.usefixtures("service")

OUTSIDER = "developer of another product"
# A handler that refuses by itself: the signature covers the body, which the handler has to read first.
SIGNED = ("POST", "/webhooks/<slug:slug>")
# Addresses of allauth that an address of ours answers first.
FAULTY_ROUTES = ("/people", "/products/<slug:slug>/retire")
SHADOWED = ("/account/email/", "/account/2fa/totp/deactivate/")


def make_people(*roles: Role) -> dict[str, Person]:
    product("shop")
    other = product("other")
    finish_bootstrap()
    people = {role.value: person(role.value, role) for role in roles}
    return people | {OUTSIDER: person("eve", Role.DEVELOPER, product=other)}


def list_problems(results: list[RouteResult]) -> list[str]:
    return [
        f"{result.method} {result.pattern}: {[each.sentence for each in result.findings] or result.unknown}"
        for result in results
        if result.status != "met" and (result.method, result.pattern) != SIGNED and result.pattern not in SHADOWED
    ]


def find_let_through(results: list[RouteResult], identity: str) -> list[str]:
    below = [result for result in results if result.pattern.startswith(PRODUCT_ADDRESSES)]
    assert len(below) > 20
    return [f"{each.method} {each.pattern}" for each in below if each.outcomes[identity] != REFUSED]


def test_no_route_lets_strangers_and_people_of_another_product_through() -> None:
    results = RouteTester(BaselineCalls(make_app(make_people(Role.ADMIN), "shop"))).test_routes()
    assert len(results) > 300
    assert list_problems(results) == []
    assert find_let_through(results, OUTSIDER) == []


@pytest.mark.slow
def test_no_route_refuses_any_role_only_after_its_handler_began() -> None:
    results = RouteTester(BaselineCalls(make_app(make_people(*Role), "shop"))).test_routes()
    assert list_problems(results) == []


@pytest.mark.slow
def test_each_guard_denies_when_what_it_asks_fails() -> None:
    app = make_app(make_people(Role.ADMIN), "shop", FAULTY_ROUTES)
    tester = GuardTester(BaselineCalls(app), 0.3)
    for guard in GUARDS:
        result = tester.test_guard(guard)
        assert result.unknown == ()
        assert result.reached > 10
        # Our own log has the trace of an error that nobody expects; nothing is let through, changed or answered.
        assert {finding.problem for finding in result.findings} <= {Problem.LEAKED}
        assert not any("answer: " in finding.detail for finding in result.findings)
