"""Nothing is reached, and nothing is written, that no action allows: every address, as everybody."""

import re
from collections.abc import Iterator

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import get_resolver, path
from django.urls.resolvers import URLPattern

from muniment.access.actions import Action, Reach
from muniment.access.roles import Role
from muniment.server import urls
from muniment.server.api import api
from muniment.server.guarding import checks
from muniment.server.guarding.mediation import Mediation, allowing
from muniment.server.guarding.open_routes import OPEN
from muniment.server.people.models import Person
from muniment.server.products.models import Product
from tests.support.service import browser, person, product

pytestmark = pytest.mark.usefixtures("service")

_VALUES = {"slug": "shop", "str": "shop", "int": "1"}


def addresses() -> Iterator[tuple[str, str, object]]:
    """(name, a path with made-up values, view) of every address of our own."""
    for pattern in get_resolver().url_patterns:
        if isinstance(pattern, URLPattern) and hasattr(pattern.callback, "action"):
            text = re.sub(r"<(\w+):\w+>", lambda match: _VALUES[match[1]], str(pattern.pattern))
            yield str(pattern.name), "/" + text, pattern.callback


def test_every_address_and_operation_names_its_action() -> None:
    assert checks.mediated() == []
    assert len(list(addresses())) > 30
    assert len(list(checks.operations())) > 10


def test_a_route_that_names_none_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        urls, "urlpatterns", [*urls.urlpatterns, path("sneaky", lambda request: HttpResponse(), name="sneaky")]
    )
    monkeypatch.setattr(get_resolver(), "url_patterns", urls.urlpatterns)
    with pytest.raises(SystemCheckError, match="sneaky names no action"):
        call_command("check")


def test_a_model_that_names_none_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Product, "written_by")
    with pytest.raises(SystemCheckError, match="Product names no written_by"):
        call_command("check")


def test_a_view_that_names_none_is_refused_at_run_time_too() -> None:
    request = RequestFactory().get("/")
    request.resolver_match = None
    with pytest.raises(PermissionDenied):
        Mediation(lambda request: None).process_view(request, lambda request: None, (), {})  # type: ignore[arg-type,return-value]


def test_nobody_who_is_not_signed_in_gets_anywhere_or_learns_what_exists() -> None:
    product("shop")
    client = browser()
    for name, address, _ in addresses():
        for answer in (client.get(address), client.post(address)):
            assert answer.status_code in (302, 405), (name, answer.status_code)
            if answer.status_code == 302:
                assert answer["Location"].startswith("/account/login/"), name


@pytest.mark.parametrize("role", list(Role))
def test_each_role_reaches_what_the_table_gives_it_and_no_more(role: Role) -> None:
    product("shop")
    client = browser(person("ada", role))
    for name, address, view in addresses():
        action = getattr(view, "action", None)
        assert isinstance(action, Action)
        may = action.rule.reach is Reach.OWN or role in action.rule.roles
        for answer in (client.get(address), client.post(address)):
            refused = answer.status_code == 403
            assert refused is not may or answer.status_code in (404, 405), (name, answer.status_code)


@pytest.mark.parametrize("role", list(Role))
def test_what_changes_something_asks_for_a_second_factor(role: Role) -> None:
    product("shop")
    client = browser(person("ada", role), second_factor=False)
    for name, address, view in addresses():
        action = getattr(view, "action", None)
        if isinstance(action, Action) and action.rule.changes and role in action.rule.roles:
            answer = client.post(address)
            assert answer.status_code in (404, 405) or "/account/2fa/" in answer.content.decode(), name


def test_other_products_are_not_there() -> None:
    shop, other = product("shop"), product("other")
    client = browser(person("ada", Role.OWNER, product=shop))
    assert client.get("/products/shop").status_code == 200
    for address in ("/products/other", "/products/other/progress", "/products/nothing", "/changes/1", "/changes/99"):
        assert client.get(address).status_code == 404, address
    for address in ("/products/other/change", "/products/other/retire"):
        assert client.post(address, {"name": "x"}).status_code == 404
    assert "Other" not in client.get("/products").content.decode()
    assert "Other" not in client.get("/search?q=oth").content.decode()
    assert other.name == "Other"


def test_a_write_that_no_action_allows_is_refused() -> None:
    def view(request: object) -> object:
        with allowing(Action.SEE_PRODUCT):
            return Person.objects.create(slug="eve", name="Eve")

    with pytest.raises(PermissionDenied, match="people_person"):
        _answered(view)


def test_a_write_that_an_action_allows_is_not() -> None:
    def view(request: object) -> object:
        with allowing(Action.CHANGE_PERSON):
            return Person.objects.create(slug="eve", name="Eve")

    _answered(view)
    assert Person.objects.filter(slug="eve").exists()


@pytest.mark.parametrize(
    "statement",
    [
        "update people_person set active = true",
        '  DELETE FROM "people_rolegrant"',
        "WITH gone AS (SELECT 1) UPDATE people_person SET active = true",
        "/* hidden */ UPDATE people_person SET active = true",
        "-- hidden\nUPDATE people_person SET active = true",
        "SELECT 1; UPDATE people_person SET active = true",
        'UPDATE public."people_person" SET active = true',
        "UPDATE ONLY people_person SET active = true",
        "SELECT '--'; DELETE FROM people_rolegrant",
        "TRUNCATE people_person",
        "COPY people_person FROM stdin",
        "DO $$ BEGIN DELETE FROM people_rolegrant; END $$",
        "CREATE TABLE t (a int)",
    ],
)
def test_no_spelling_of_a_write_goes_past(statement: str) -> None:
    def view(request: object) -> object:
        with connection.cursor() as cursor:
            return cursor.execute(statement)

    with pytest.raises(PermissionDenied):
        _answered(view)


def _answered(view: object) -> None:
    from django.contrib.auth.models import AnonymousUser
    from django.contrib.sessions.backends.db import SessionStore

    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    request.session = SessionStore()
    Mediation(view)(request)  # type: ignore[arg-type]


def test_every_open_route_says_why() -> None:
    assert all(route.why for route in OPEN.values())
    names = {name for name, _ in checks.routes()}
    assert set(OPEN) <= names, set(OPEN) - names


def test_the_api_answers_nobody_without_a_token() -> None:
    client = browser(person("ada", *Role))
    for prefix, router in api._routers:
        for place, view in router.path_operations.items():
            address = "/api/" + re.sub(r"\{\w+\}", "shop", (prefix + place).lstrip("/"))
            for operation in view.operations:
                for method in operation.methods:
                    answer = client.generic(method, address, b"{}", content_type="application/json")
                    assert answer.status_code == 401, address
                    assert answer["Content-Type"] == "application/problem+json"
