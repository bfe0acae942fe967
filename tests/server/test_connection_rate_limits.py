"""The rate limits of a connection: one state for all processes of the service, and shown to people and programs."""

import json
import multiprocessing
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from muniment.access.roles import Role
from muniment.errors import ForgeCode, ForgeError
from muniment.facts.moments import format_moment
from muniment.forges.forge_client import ForgeClient, Transport
from muniment.http.rate_limits import RateLimit, RefusalReason
from muniment.server.connections import rate_limits
from muniment.server.connections.models import Connection, ConnectionRateLimit
from muniment.server.connections.rate_limits import SharedRateLimits, list_limit_states
from tests.support.forges.faulty import Fault, Faulty, Reply, Route
from tests.support.service import as_role, browser, person, token_of

pytestmark = pytest.mark.usefixtures("service")


class FakeForge(Faulty):
    """A fake forge that answers one kind of request."""

    routes = (Route("GET", "/thing", "thing", lambda *_: Reply(200, {})),)


@pytest.fixture(name="forge")
def _forge() -> Iterator[FakeForge]:
    with FakeForge() as fake:
        yield fake


@pytest.fixture(name="row")
def _row() -> Connection:
    with as_role("owner"):
        return Connection.objects.create(slug="forge", vendor="gitea", url="https://forge.example.test")


def _send_request(url: str, row: Connection) -> ForgeCode | None:
    """Send one request as a worker process does; return its failure, if any."""
    client = ForgeClient(url, dict, transport=Transport(limits=SharedRateLimits(row)))
    try:
        client.get_json("thing")
    except ForgeError as error:
        return error.code
    return None


def _request_in_another_process(url: str, row: Connection) -> ForgeCode | None:
    """Send the request in another process, with its own connection to the database."""
    database.close()
    context = multiprocessing.get_context("fork")
    reading, writing = context.Pipe(duplex=False)
    child = context.Process(target=lambda: writing.send(_send_request(url, row)))
    child.start()
    child.join()
    assert child.exitcode == 0
    found: ForgeCode | None = reading.recv()
    return found


def _at(seconds: float) -> str:
    return format_moment(timezone.now() + timedelta(seconds=seconds))


def test_rate_limit_of_one_process_stops_all_processes(forge: FakeForge, row: Connection) -> None:
    with as_role("worker"):
        assert _request_in_another_process(forge.url, row) is None
        forge.fail("thing", Fault.LIMITED_FOR_A_WHILE, times=1)
        assert _request_in_another_process(forge.url, row) is ForgeCode.RATE_LIMITED
        assert _request_in_another_process(forge.url, row) is ForgeCode.RATE_LIMITED
        assert _send_request(forge.url, row) is ForgeCode.RATE_LIMITED
        assert forge.calls == ["thing", "thing"]
    with as_role("owner"):
        ConnectionRateLimit.objects.update(retry_at=timezone.now())
    with as_role("worker"):
        assert _request_in_another_process(forge.url, row) is None
    assert len(forge.calls) == 3


def test_rate_limit_of_one_connection_does_not_stop_another(forge: FakeForge, row: Connection) -> None:
    with as_role("owner"):
        other = Connection.objects.create(slug="other", vendor="gitea", url="https://other.example.test")
    forge.fail("thing", Fault.LIMITED_ALONE, times=1)
    with as_role("worker"):
        assert _send_request(forge.url, row) is ForgeCode.RATE_LIMITED
        assert _send_request(forge.url, other) is None


def test_longer_refusal_is_not_replaced_by_shorter_one(row: Connection) -> None:
    later, earlier = _at(600), _at(60)
    exhausted = RateLimit(5000, 0, later, later, reason=RefusalReason.QUOTA_EXHAUSTED)
    with as_role("worker"):
        SharedRateLimits(row).save_limit("rest", exhausted)
        SharedRateLimits(row).save_limit("rest", RateLimit(5000, 9, later, earlier, 60, RefusalReason.NO_MOMENT_GIVEN))
        SharedRateLimits(row).save_limit("rest", RateLimit(5000, 8, later))
        assert SharedRateLimits(row).load_limits() == {
            "rest": RateLimit(5000, 8, later, later, reason=RefusalReason.QUOTA_EXHAUSTED)
        }


def test_refusal_survives_rollback_of_its_transaction(row: Connection) -> None:
    refused = RateLimit(again_at=_at(60), pause=60, reason=RefusalReason.NO_MOMENT_GIVEN)
    with as_role("worker"):
        store = SharedRateLimits(row)
        with transaction.atomic():
            store.save_limit("", refused)
            transaction.set_rollback(True)
        assert SharedRateLimits(row).load_limits() == {}
        assert store.load_limits() == {"": refused}
        assert SharedRateLimits(row).load_limits() == {"": refused}


def test_remaining_quota_is_current_in_process_and_saved_occasionally(row: Connection) -> None:
    with as_role("worker"):
        store = SharedRateLimits(row)
        for left in (59, 58, 57):
            store.save_limit("rest", RateLimit(60, left))
        assert store.load_limits()["rest"].left == 57
        assert SharedRateLimits(row).load_limits()["rest"].left == 59


def test_refusal_to_another_process_is_loaded_after_a_moment(row: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = RateLimit(again_at=_at(60), pause=60, reason=RefusalReason.NO_MOMENT_GIVEN)
    with as_role("worker"):
        store = SharedRateLimits(row)
        with CaptureQueriesContext(database) as queries:
            assert [store.load_limits() for _ in range(9)] == [{}] * 9
        assert len(queries) == 1, "not before each request"
        SharedRateLimits(row).save_limit("", refused)
        monkeypatch.setattr(rate_limits, "_CACHE_SECONDS", 0.0)  # as after that time
        assert store.load_limits() == {"": refused}


def _limits(row: Connection) -> None:
    now = timezone.now()
    both: list[dict[str, Any]] = [
        {"resource": "", "retry_at": now + timedelta(minutes=5), "reason": RefusalReason.NO_MOMENT_GIVEN},
        {"resource": "rest", "request_limit": 5000, "remaining": 4987, "reset_at": now + timedelta(minutes=9)},
    ]
    with as_role("owner"):
        for values in both:
            ConnectionRateLimit.objects.create(connection=row, **values)


def test_page_shows_remaining_quota_pause_and_reason(row: Connection) -> None:
    person("root", Role.ADMIN)
    _limits(row)
    retry = ConnectionRateLimit.objects.get(resource="").retry_at
    assert retry is not None
    for address in ("/connections/forge", "/connections"):
        page = browser(person("root")).get(address).content.decode()
        assert "4987 of 5000" in page
        assert retry.strftime("%H:%M:%S") in page
    page = browser(person("root")).get("/connections/forge").content.decode()
    assert "No requests are sent before" in page
    assert "The forge refused without saying for how long" in page


def test_api_shows_remaining_quota_pause_and_reason(row: Connection) -> None:
    _limits(row)
    token = token_of(person("root", Role.ADMIN))
    heads: dict[str, Any] = {"HTTP_AUTHORIZATION": f"Bearer {token}"}
    answer = browser().get("/api/connections/forge", **heads)
    assert answer.status_code == 200
    every, rest = json.loads(answer.content)["rate_limits"]
    assert (every["resource"], every["remaining"], every["reason"]) == ("", None, "no-moment-given")
    assert every["not_before"] > _at(0)
    assert (rest["limit"], rest["remaining"], rest["not_before"], rest["reason"]) == (5000, 4987, None, None)
    listed = json.loads(browser().get("/api/connections", **heads).content)
    assert [one["name"] for one in listed["items"]] == ["forge"]
    assert browser().get("/api/connections/none", **heads).status_code == 404


def test_remaining_quota_is_unknown_after_reset(row: Connection) -> None:
    with as_role("owner"):
        ConnectionRateLimit.objects.create(
            connection=row, resource="rest", request_limit=60, remaining=0, reset_at=timezone.now()
        )
    (state,) = list_limit_states(row)
    assert (state.limit, state.remaining, state.retry_at, state.explanation) == (60, None, None, "")
