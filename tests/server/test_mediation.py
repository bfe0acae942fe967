"""Complete mediation: every route and every write needs an action that permits it, for every role."""

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
from muniment.server.guarding import system_checks
from muniment.server.guarding.mediation import MediationMiddleware, allow_writes
from muniment.server.guarding.open_routes import OPEN
from muniment.server.people.models import Person
from muniment.server.products.models import Product
from tests.support.service import browser, person, product

pytestmark = pytest.mark.usefixtures("service")

_VALUES = {"slug": "shop", "str": "shop", "int": "1"}


def list_routes() -> Iterator[tuple[str, str, object]]:
    """(name, a path with made-up values, view) of every route of the service."""
    for pattern in get_resolver().url_patterns:
        if isinstance(pattern, URLPattern) and hasattr(pattern.callback, "action"):
            text = re.sub(r"<(\w+):\w+>", lambda match: _VALUES[match[1]], str(pattern.pattern))
            yield str(pattern.name), "/" + text, pattern.callback


def test_every_route_and_operation_declares_its_action() -> None:
    assert system_checks.check_mediation() == []
    assert len(list(list_routes())) > 30
    assert len(list(system_checks.list_operations())) > 10


def test_service_refuses_start_with_route_without_action(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        urls, "urlpatterns", [*urls.urlpatterns, path("sneaky", lambda request: HttpResponse(), name="sneaky")]
    )
    monkeypatch.setattr(get_resolver(), "url_patterns", urls.urlpatterns)
    with pytest.raises(SystemCheckError, match="sneaky names no action"):
        call_command("check")


def test_service_refuses_start_with_model_without_action(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Product, "written_by")
    with pytest.raises(SystemCheckError, match="Product names no written_by"):
        call_command("check")


def test_view_without_action_is_refused_at_run_time() -> None:
    request = RequestFactory().get("/")
    request.resolver_match = None
    with pytest.raises(PermissionDenied):
        MediationMiddleware(lambda request: None).process_view(request, lambda request: None, (), {})  # type: ignore[arg-type,return-value]


def test_visitor_without_session_is_sent_to_sign_in_everywhere() -> None:
    product("shop")
    client = browser()
    for name, address, _ in list_routes():
        for answer in (client.get(address), client.post(address)):
            assert answer.status_code in (302, 405), (name, answer.status_code)
            if answer.status_code == 302:
                assert answer["Location"].startswith("/account/login/"), name


@pytest.mark.parametrize("role", list(Role))
def test_each_role_reaches_exactly_its_routes(role: Role) -> None:
    product("shop")
    client = browser(person("ada", role))
    for name, address, view in list_routes():
        action = getattr(view, "action", None)
        assert isinstance(action, Action)
        may = action.rule.reach is Reach.OWN or role in action.rule.roles
        for answer in (client.get(address), client.post(address)):
            refused = answer.status_code == 403
            assert refused is not may or answer.status_code in (404, 405), (name, answer.status_code)


@pytest.mark.parametrize("role", list(Role))
def test_writing_routes_require_second_factor(role: Role) -> None:
    product("shop")
    client = browser(person("ada", role), second_factor=False)
    for name, address, view in list_routes():
        action = getattr(view, "action", None)
        if isinstance(action, Action) and action.rule.changes and role in action.rule.roles:
            answer = client.post(address)
            assert answer.status_code in (404, 405) or "/account/2fa/" in answer.content.decode(), name


def test_other_products_are_not_found() -> None:
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


def test_refuses_write_without_permitting_action() -> None:
    def view(request: object) -> object:
        with allow_writes(Action.SEE_PRODUCT):
            return Person.objects.create(slug="eve", name="Eve")

    with pytest.raises(PermissionDenied, match="people_person"):
        _run_view(view)


def test_permits_write_that_action_declares() -> None:
    def view(request: object) -> object:
        with allow_writes(Action.CHANGE_PERSON):
            return Person.objects.create(slug="eve", name="Eve")

    _run_view(view)
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
def test_refuses_every_spelling_of_unpermitted_write(statement: str) -> None:
    def view(request: object) -> object:
        with connection.cursor() as cursor:
            return cursor.execute(statement)

    with pytest.raises(PermissionDenied):
        _run_view(view)


def _run_view(view: object) -> None:
    from django.contrib.auth.models import AnonymousUser
    from django.contrib.sessions.backends.db import SessionStore

    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    request.session = SessionStore()
    MediationMiddleware(view)(request)  # type: ignore[arg-type]


def test_every_public_route_gives_reason() -> None:
    assert all(route.why for route in OPEN.values())
    names = {name for name, _ in system_checks.list_routes()}
    assert set(OPEN) <= names, set(OPEN) - names


def test_api_refuses_requests_without_token() -> None:
    client = browser(person("ada", *Role))
    for prefix, router in api._routers:
        for place, view in router.path_operations.items():
            address = "/api/" + re.sub(r"\{\w+\}", "shop", (prefix + place).lstrip("/"))
            for operation in view.operations:
                for method in operation.methods:
                    answer = client.generic(method, address, b"{}", content_type="application/json")
                    assert answer.status_code == 401, address
                    assert answer["Content-Type"] == "application/problem+json"
