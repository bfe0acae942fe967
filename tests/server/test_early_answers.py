"""Routes for supervisors are answered before sessions, and nothing else is."""

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection
from django.http import HttpResponse
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import resolve

from muniment.access.actions import Action
from muniment.server.guarding import early_answers
from muniment.server.guarding.early_answers import EarlyAnswers
from muniment.server.guarding.open_routes import OPEN, OpenRoute
from tests.support.service import browser, person

pytestmark = pytest.mark.usefixtures("service")


def test_health_reads_no_session_and_no_database_and_has_every_header() -> None:
    ada = person("ada")
    client = browser(ada)
    with CaptureQueriesContext(connection) as caught:
        answer = client.get("/health")
    assert answer.json() == {"status": "ok"}
    assert len(caught) == 0
    assert answer["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer["Cache-Control"] == "no-store"
    assert client.head("/health").status_code == 200


def test_health_refuses_names_of_other_hosts() -> None:
    assert browser().get("/health", HTTP_HOST="evil.example.test").status_code == 400


@pytest.mark.parametrize("path", ["/health/", "/health/../", "//health", "/healthy", "/ready", "/"])
def test_every_other_path_goes_on_to_access_check(path: str) -> None:
    further = HttpResponse("further")
    assert EarlyAnswers(lambda _: further)(RequestFactory().get("/", PATH_INFO=path)) is further


def test_other_methods_go_on_to_access_check() -> None:
    further = HttpResponse("further")
    assert EarlyAnswers(lambda _: further)(RequestFactory().post("/health")) is further


def test_early_answer_cannot_use_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def count_people(_: object) -> HttpResponse:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return HttpResponse()

    match = resolve("/health")
    match.func = count_people
    monkeypatch.setattr(early_answers, "_find_early_routes", lambda: {"/health": match})
    with pytest.raises(PermissionDenied):
        EarlyAnswers(lambda _: HttpResponse())(RequestFactory().get("/health", HTTP_HOST="localhost"))


@pytest.mark.parametrize(
    "route",
    [OpenRoute("x", action=Action.MANAGE_OWN_ACCOUNT, early=True), OpenRoute("x", writes=frozenset({"t"}), early=True)],
)
def test_service_refuses_start_with_early_route_that_needs_access(
    monkeypatch: pytest.MonkeyPatch, route: OpenRoute
) -> None:
    monkeypatch.setitem(OPEN, "account_login", route)
    with pytest.raises(SystemCheckError, match="account_login is answered early"):
        call_command("check")
