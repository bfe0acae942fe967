"""Rate limits are recognised with a time to retry, and no sharer of the limit sends a request before it."""

import json
import time
from email.utils import formatdate

import pytest
from msgspec import structs

from muniment.errors import HttpCode, HttpError
from muniment.facts import moments
from muniment.http.client import HttpClient
from muniment.http.rate_limits import (
    MemoryRateLimitStore,
    RateLimit,
    RateLimiter,
    RefusalReason,
    is_refusal,
    read_limit_headers,
    seconds_until,
    seconds_until_retry,
)
from tests.support.http_servers import Answering, answer

NOW = 1_700_000_000.0  # 2023-11-14T22:13:20Z
SECONDARY = b'{"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}'
LEFT = {"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "4999", "X-RateLimit-Reset": str(int(NOW) + 600)}


def lowered(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def at(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(NOW + seconds))


@pytest.mark.parametrize(
    ("status", "headers", "body", "refused"),
    [
        (429, {}, b"", True),
        (403, {"x-ratelimit-remaining": "0"}, b"", True),
        (403, {"ratelimit-remaining": "0"}, b"", True),
        (403, {"retry-after": "60"}, b"", True),
        (403, lowered(LEFT), SECONDARY, True),
        (403, {}, b'{"message": "You have triggered an abuse detection mechanism."}', True),
        (403, {}, b'{"message": "API rate limit exceeded for installation ID 1."}', True),
        (403, lowered(LEFT), b'{"message": "Resource not accessible by integration"}', False),
        (403, {}, b'{"documentation_url": "https://docs.github.com/rest/rate limit"}', False),
        (403, {}, b"<p>rate limit</p>", False),
        (403, {}, b'["rate limit"]', False),
        (403, {}, b'{"message": 7}', False),
        (403, {}, b"\xff", False),
        (200, {"x-ratelimit-remaining": "0"}, b"", False),
        (404, {"retry-after": "60"}, b"", False),
        (503, {"retry-after": "60"}, b"", False),
    ],
)
def test_rate_limit_refusal_is_recognised(status: int, headers: dict[str, str], body: bytes, refused: bool) -> None:
    assert is_refusal(status, headers, body) is refused


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "30"}, 30),
        ({"retry-after": "0"}, 0),
        ({"retry-after": formatdate(NOW + 90, usegmt=True)}, 90),
        ({"retry-after": formatdate(NOW - 90, usegmt=True)}, 0),
        ({"retry-after": "1000000000"}, 3600),
        ({"retry-after": formatdate(NOW + 10**9, usegmt=True)}, 3600),
        ({"retry-after": "Fri, 31 Dec 99999 23:59:59 GMT"}, None),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 -0000"}, 30),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "²"}, None),
        ({"retry-after": "soon"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 600)}, 600),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "45"}, 45),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "99999999999"}, 3600),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"}, None),
        ({"x-ratelimit-remaining": "0"}, None),
        ({"x-ratelimit-remaining": "7", "x-ratelimit-reset": str(int(NOW) + 600)}, None),
        ({"retry-after": "5", "x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 600)}, 5),
    ],
)
def test_wait_follows_the_server_within_bounds(headers: dict[str, str], seconds: float | None) -> None:
    assert seconds_until_retry(headers, NOW) == seconds


def test_remaining_quota_is_read_and_missing_headers_change_nothing() -> None:
    result = read_limit_headers(lowered(LEFT), RateLimit(), NOW)
    assert result == RateLimit(5000, 4999, at(600))
    assert read_limit_headers({}, result, NOW) == result
    assert read_limit_headers(
        {"ratelimit-remaining": "3", "ratelimit-limit": "x", "ratelimit-reset": "x"}, result, NOW
    ) == (RateLimit(-1, 3, ""))
    assert read_limit_headers({"x-ratelimit-remaining": "1", "x-ratelimit-reset": "9" * 15}, result, NOW).reset == ""


def limiter(store: MemoryRateLimitStore, resource: str = "rest", clock: list[float] | None = None) -> RateLimiter:
    return RateLimiter(store, resource, lambda: (clock or [NOW])[0])


def update(one: RateLimiter, headers: dict[str, str]) -> None:
    one.update_limit(headers, one.require_allowed("https://forge.test"))


def is_open(one: RateLimiter) -> bool:
    try:
        one.require_allowed("https://forge.test")
    except HttpError as error:
        return error.code is not HttpCode.RATE_LIMITED or not error.again_at
    return True


def test_no_request_before_the_time_named_by_the_server() -> None:
    store, clock = MemoryRateLimitStore(), [NOW]
    error = limiter(store, clock=clock).record_refusal("https://forge.test", {"retry-after": "30"})
    assert error.again_at == at(30)
    assert at(30)[:19] in error.remedy
    other = limiter(store, clock=clock)
    assert not is_open(other)
    clock[0] += 29
    assert not is_open(other)
    clock[0] += 1
    assert is_open(other)


def test_exhausted_limit_stops_its_own_resource_alone() -> None:
    store = MemoryRateLimitStore()
    headers = lowered({**LEFT, "X-RateLimit-Remaining": "0"})
    error = limiter(store, "graphql").record_refusal("https://forge.test", headers)
    assert error.again_at == at(600)
    assert not is_open(limiter(store, "graphql"))
    assert is_open(limiter(store, "rest"))
    exhausted = RateLimit(5000, 0, at(600), at(600), reason=RefusalReason.QUOTA_EXHAUSTED)
    assert limiter(store, "graphql").current_limit() == exhausted


def test_secondary_limit_stops_all_resources() -> None:
    store = MemoryRateLimitStore()
    limiter(store, "graphql").record_refusal("https://forge.test", lowered(LEFT))
    assert not is_open(limiter(store, "graphql"))
    assert not is_open(limiter(store, "rest"))


def test_pause_without_a_named_time_grows_each_time() -> None:
    store, clock, pauses = MemoryRateLimitStore(), [NOW], []
    for _ in range(7):
        again = limiter(store, clock=clock).record_refusal("https://forge.test", {}).again_at
        pause = moments.parse_moment(again).timestamp() - clock[0]
        pauses.append(pause)
        clock[0] += pause + 1
    assert pauses == [60, 120, 240, 480, 960, 960, 960]
    clock[0] += 3600
    assert limiter(store, clock=clock).record_refusal("https://forge.test", {}).again_at == at(clock[0] - NOW + 60)


def test_refusals_of_concurrent_requests_lengthen_the_pause_once() -> None:
    store = MemoryRateLimitStore()
    for _ in range(3):
        assert limiter(store).record_refusal("https://forge.test", {}).again_at == at(60)


def test_late_answer_does_not_end_a_newer_refusal() -> None:
    store = MemoryRateLimitStore()
    refused = RateLimit(5000, 0, at(600), at(600), reason=RefusalReason.QUOTA_EXHAUSTED)
    store.save_limit("rest", refused)
    store.save_limit("rest", RateLimit(5000, 1, at(600)))
    assert not is_open(limiter(store))
    assert store.load_limits()["rest"] == structs.replace(refused, left=1)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"retry-after": "30"}, RefusalReason.SERVER_ASKED_TO_WAIT),
        ({}, RefusalReason.NO_MOMENT_GIVEN),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 600)}, RefusalReason.QUOTA_EXHAUSTED),
        ({"x-ratelimit-remaining": "0"}, RefusalReason.NO_MOMENT_GIVEN),
    ],
)
def test_reason_for_a_pause_is_stored(headers: dict[str, str], reason: RefusalReason) -> None:
    store = MemoryRateLimitStore()
    limiter(store).record_refusal("https://forge.test", headers)
    assert [one.reason for one in store.load_limits().values()] == [reason]


def test_reported_quota_is_stored_by_resource() -> None:
    store = MemoryRateLimitStore()
    update(limiter(store, "rest"), lowered(LEFT))
    update(limiter(store, "graphql"), {"x-ratelimit-remaining": "7"})
    update(limiter(store, "graphql"), {})
    assert (limiter(store, "rest").current_limit().left, limiter(store, "graphql").current_limit().left) == (4999, 7)


def test_client_sends_nothing_while_the_shared_limit_is_exhausted() -> None:
    store = MemoryRateLimitStore()
    with Answering(answer(SECONDARY, "403 Forbidden"), answer(b"{}")) as server:
        for _ in range(3):  # as in three processes
            asking = HttpClient(server.url, seconds=5, limiter=RateLimiter(store))
            with pytest.raises(HttpError) as caught:
                asking.request("GET", "")
            assert caught.value.code is HttpCode.RATE_LIMITED
            assert 50 < seconds_until(caught.value.again_at) <= 60
        assert len(server.requests) == 1
        assert json.loads(HttpClient(server.url, seconds=5).request("GET", "").body) == {}


def test_refused_answer_is_an_error_without_a_limiter_too() -> None:
    with Answering(answer(b"", "429 Slow", Retry_After="5")) as server:
        asking = HttpClient(server.url, seconds=5)
        for _ in range(2):
            with pytest.raises(HttpError) as caught:
                asking.request("GET", "")
            assert caught.value.code is HttpCode.RATE_LIMITED
            assert 0 < seconds_until(caught.value.again_at) <= 5
        assert len(server.requests) == 2


def test_missing_permission_is_no_rate_limit() -> None:
    refusal = answer(b'{"message": "Resource not accessible"}', "403 Forbidden", X_RateLimit_Remaining="4999")
    with Answering(refusal) as server:
        asking = HttpClient(server.url, seconds=5, limiter=RateLimiter())
        assert [asking.request("GET", "").status for _ in range(2)] == [403, 403]


def test_missing_time_means_no_wait() -> None:
    assert seconds_until("") == 0
    assert seconds_until(at(0)) == 0
