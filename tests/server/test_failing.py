"""With the database gone, whoever asks is told so and what to do, and a supervisor learns which part is missing."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client

from muniment.errors import DatabaseError
from muniment.server.pages import health
from muniment.server.running import preparing
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture
def gone(service: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """Somebody at a service whose database does not answer."""
    connection.close()
    with monkeypatch.context() as patched:
        patched.setitem(connection.settings_dict, "PORT", "1")
        yield Client(HTTP_HOST="localhost", raise_request_exception=False)
    connection.close()


def test_health_is_of_the_process_and_ready_names_what_is_missing(gone: Client) -> None:
    assert gone.get("/health").status_code == 200
    answer = gone.get("/ready")
    assert (answer.status_code, answer.json()) == (503, {"status": "no", "missing": "database"})


@pytest.mark.parametrize("full", [True, False])
def test_a_full_disk_is_not_ready(monkeypatch: pytest.MonkeyPatch, full: bool) -> None:
    monkeypatch.setattr(health, "workers_alive", lambda: 1)
    monkeypatch.setattr(health, "is_sequencer_alive", lambda: True)
    monkeypatch.setattr(health, "LEAST_BYTES", 1 << 60 if full else 0)
    answer = Client(HTTP_HOST="localhost").get("/ready")
    assert answer.status_code == (503 if full else 200)
    assert answer.json().get("missing") == ("disk space" if full else None)


@pytest.mark.parametrize("path", ["/", "/products", "/welcome/x"])
def test_a_page_says_what_to_do(gone: Client, path: str) -> None:
    answer = gone.get(path)
    if answer.status_code == 302:
        return  # it sends to the sign-in, and has asked for nothing yet
    assert (answer.status_code, answer["Retry-After"]) == (503, "10")
    assert b"load this page again" in answer.content


def test_a_program_is_told_in_its_own_form(gone: Client) -> None:
    answer = gone.get("/api/products", headers={"Authorization": "Bearer x"})
    assert (answer.status_code, answer["Content-Type"]) == (503, "application/problem+json")


@pytest.mark.parametrize(("own", "told"), [("", "muniment up"), ("postgresql://h/x", "DATABASE_URL names it")])
def test_a_command_says_which_database_and_what_to_do(
    gone: Client, monkeypatch: pytest.MonkeyPatch, own: str, told: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", own)
    with pytest.raises(DatabaseError) as caught:
        preparing.reachable()
    assert told in caught.value.remedy


def test_a_database_of_a_newer_version_is_left_alone() -> None:
    with as_role("owner"):
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('people', '9999_later', now())")
        try:
            with pytest.raises(DatabaseError, match=r"newer Muniment \(people 9999_later\); nothing was changed"):
                preparing.migrate()
        finally:
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM django_migrations WHERE name = '9999_later'")
        preparing.migrate()
