"""Database outage: pages, API and commands say what to do, and `/ready` names the missing part."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client

from muniment.errors import DatabaseError
from muniment.server.pages import health_checks
from muniment.server.running import preparation
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture
def gone(service: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A signed-in browser of a service whose database does not answer."""
    connection.close()
    with monkeypatch.context() as patched:
        patched.setitem(connection.settings_dict, "PORT", "1")
        yield Client(HTTP_HOST="localhost", raise_request_exception=False)
    connection.close()


def test_health_needs_no_database_and_ready_names_missing_part(gone: Client) -> None:
    assert gone.get("/health").status_code == 200
    answer = gone.get("/ready")
    assert (answer.status_code, answer.json()) == (503, {"status": "no", "missing": "database"})


@pytest.mark.parametrize("full", [True, False])
def test_full_disk_is_reported_as_not_ready(monkeypatch: pytest.MonkeyPatch, full: bool) -> None:
    monkeypatch.setattr(health_checks, "count_live_workers", lambda: 1)
    monkeypatch.setattr(health_checks, "is_sequencer_alive", lambda: True)
    monkeypatch.setattr(health_checks, "LEAST_BYTES", 1 << 60 if full else 0)
    answer = Client(HTTP_HOST="localhost").get("/ready")
    assert answer.status_code == (503 if full else 200)
    assert answer.json().get("missing") == ("disk space" if full else None)


@pytest.mark.parametrize("path", ["/", "/products", "/welcome/x"])
def test_page_asks_to_reload_during_outage(gone: Client, path: str) -> None:
    answer = gone.get(path)
    if answer.status_code == 302:
        return  # it sends to the sign-in, and has asked for nothing yet
    assert (answer.status_code, answer["Retry-After"]) == (503, "10")
    assert "Load this page again" in " ".join(answer.content.decode().split())


def test_api_returns_problem_document_during_outage(gone: Client) -> None:
    answer = gone.get("/api/products", headers={"Authorization": "Bearer x"})
    assert (answer.status_code, answer["Content-Type"]) == (503, "application/problem+json")


@pytest.mark.parametrize(("own", "message"), [("", "muniment up"), ("postgresql://h/x", "DATABASE_URL names it")])
def test_command_names_database_and_next_step(
    gone: Client, monkeypatch: pytest.MonkeyPatch, own: str, message: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", own)
    with pytest.raises(DatabaseError) as caught:
        preparation.require_reachable()
    assert message in caught.value.remedy


def test_database_of_newer_version_is_not_changed() -> None:
    with as_role("owner"):
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('people', '9999_later', now())")
        try:
            with pytest.raises(DatabaseError, match=r"newer Muniment \(people 9999_later\); nothing was changed"):
                preparation.migrate_schema()
        finally:
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM django_migrations WHERE name = '9999_later'")
        preparation.migrate_schema()
