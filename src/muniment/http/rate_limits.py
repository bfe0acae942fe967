"""Rate limits of a server as a shared state: no process sends a request before the server accepts it.

A refusal is an answer with status 429, or with 403 and one of these: no requests left (`X-RateLimit-Remaining`,
`RateLimit-Remaining`), `Retry-After`, or a message about a rate limit. It is for one resource, a part of the server
that is counted by itself; a refusal although requests are left (GitHub's secondary limit) is for all of them.
Sources: RFC 9110, section 10.2.3 (Retry-After); https://docs.github.com/en/rest, "Rate limits for the REST API".
"""

import datetime
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from muniment.errors import HttpCode, HttpError
from muniment.facts import moments

ALL_RESOURCES = ""  # the resource that stands for every other

_FAMILIES = ("x-ratelimit-", "ratelimit-")
_EPOCH = 1_000_000_000  # a smaller number is seconds from now, a larger one seconds since 1970
_LONGEST = 3600.0  # seconds; whatever a server says, it is asked again then
_PAUSE, _LONGEST_PAUSE = 60, 960  # seconds; at first and at most, where the server does not say for how long
_WORDS = ("rate limit", "abuse detection")


class RefusalReason(StrEnum):
    """Reason for which no request is sent before a moment."""

    QUOTA_EXHAUSTED = "quota-exhausted"  # no requests are left until the reset that the server names
    SERVER_ASKED_TO_WAIT = "server-asked-to-wait"  # `Retry-After`
    NO_MOMENT_GIVEN = "no-moment-given"  # the server refused and named no moment: the pause is our own


class RateLimit(Struct, frozen=True):
    """A rate limit as last returned: of `limit` requests, `left` are left until `reset`; -1 and "" where it is unknown.

    `again_at` is the moment before which no request is sent, "" if none was refused, and `reason` its reason; `pause`
    is the seconds until then where they are our guess.
    """

    limit: int = -1
    left: int = -1
    reset: str = ""
    again_at: str = ""
    pause: int = 0
    reason: RefusalReason | None = None


class RateLimitStore(Protocol):
    """Storage of the rate limits of one account at one server, by resource, for all processes that use it."""

    def load_limits(self) -> Mapping[str, RateLimit]:
        """Load all rate limits, by resource."""

    def save_limit(self, resource: str, limit: RateLimit) -> None:
        """Replace one rate limit, but never a refusal by one that ends earlier (`merge_refusal`)."""


class MemoryRateLimitStore:
    """Rate limits that only this process knows."""

    def __init__(self) -> None:
        self._limits: dict[str, RateLimit] = {}

    def load_limits(self) -> Mapping[str, RateLimit]:
        """Load all rate limits, by resource."""
        return dict(self._limits)

    def save_limit(self, resource: str, limit: RateLimit) -> None:
        """Replace one rate limit, unless a later refusal is stored."""
        self._limits[resource] = merge_refusal(limit, self._limits.get(resource, RateLimit()))


def merge_refusal(returned: RateLimit, stored: RateLimit) -> RateLimit:
    """`returned` with the later refusal of the two.

    An answer that was under way does not end a refusal that came meanwhile.
    """
    if stored.again_at <= returned.again_at:
        return returned
    return msgspec.structs.replace(returned, again_at=stored.again_at, pause=stored.pause, reason=stored.reason)


class RateLimiter:
    """Tracks the rate limit of one resource; no request is sent during a refusal."""

    def __init__(
        self, store: RateLimitStore | None = None, resource: str = "rest", clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store if store is not None else MemoryRateLimitStore()
        self._resource = resource
        self._clock = clock

    def get_rate_limits(self) -> Mapping[str, RateLimit]:
        """Every rate limit of the account, by resource."""
        return self._store.load_limits()

    def current_limit(self) -> RateLimit:
        """Rate limit of this resource as last returned."""
        return self.get_rate_limits().get(self._resource, RateLimit())

    def require_allowed(self, origin: str) -> RateLimit:
        """Rate limit of this resource as last returned. Raises HttpError (RATE_LIMITED) during a refusal."""
        limits, now = self._store.load_limits(), _format_moment(self._clock())
        again = max(limits.get(name, RateLimit()).again_at for name in (ALL_RESOURCES, self._resource))
        if again > now:
            raise refusal_error(origin, again)
        return limits.get(self._resource, RateLimit())

    def update_limit(self, headers: Mapping[str, str], before: RateLimit) -> None:
        """Store the rate limit in an answer's headers. `before` was known when the request was sent.

        A refusal that came meanwhile stays: no store replaces one by none.
        """
        limit = read_limit_headers(headers, before, self._clock())
        if limit != before:
            self._store.save_limit(self._resource, limit)

    def record_refusal(self, origin: str, headers: Mapping[str, str]) -> HttpError:
        """Store the refusal in an answer's headers; the error for it."""
        now, limits = self._clock(), self._store.load_limits()
        resource = self._resource if _is_exhausted(headers) else ALL_RESOURCES
        before = limits.get(resource, RateLimit())
        seconds = seconds_until_retry(headers, now)
        pause, reason = (
            0,
            RefusalReason.SERVER_ASKED_TO_WAIT if resource == ALL_RESOURCES else RefusalReason.QUOTA_EXHAUSTED,
        )
        if seconds is None:
            reason = RefusalReason.NO_MOMENT_GIVEN
            pause = _next_pause(before, now)
            seconds = float(pause)
        limit = read_limit_headers(headers, before, now) if resource else before
        again = _format_moment(now + seconds)
        refused = msgspec.structs.replace(limit, again_at=again, pause=pause, reason=reason)
        self._store.save_limit(resource, refused)
        return refusal_error(origin, again)


def _next_pause(before: RateLimit, now: float) -> int:
    """Seconds: longer than the last pause, if that was lately; the same during it, for requests under way."""
    if before.pause and before.again_at > _format_moment(now):
        return before.pause
    lately = before.pause and before.again_at > _format_moment(now - before.pause)
    return min(2 * before.pause, _LONGEST_PAUSE) if lately else _PAUSE


def refusal_error(origin: str, again_at: str) -> HttpError:
    """Error for a server that accepts no request before a moment ("" if that is unknown)."""
    when = f"at {again_at[:19]}Z" if again_at else "later"
    return HttpError(HttpCode.RATE_LIMITED, f"the rate limit of {origin} is used up", f"Try again {when}.", again_at)


def is_refusal(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether an answer is a refusal by a rate limit."""
    if status != 403:
        return status == 429
    return _is_exhausted(headers) or "retry-after" in headers or any(word in _read_message(body) for word in _WORDS)


def read_limit_headers(headers: Mapping[str, str], before: RateLimit, now: float) -> RateLimit:
    """Rate limit in the headers of an answer; `before` if they have none."""
    for prefix in _FAMILIES:
        left, limit, reset = (headers.get(prefix + name, "") for name in ("remaining", "limit", "reset"))
        if _is_number(left):
            return msgspec.structs.replace(
                before,
                limit=int(limit) if _is_number(limit) else -1,
                left=int(left),
                reset=_format_moment(_reset_seconds(reset, now)) if _is_number(reset) else "",
            )
    return before


def seconds_until_retry(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait: `Retry-After` in seconds or as a date, else until the reset; None if unknown.

    Never more than an hour, and never less than 0.
    """
    after = headers.get("retry-after", "")
    if _is_number(after):
        return min(float(after), _LONGEST)
    when = _parse_http_date(after)
    if when is None and _is_exhausted(headers):
        reset = next((headers[name] for name in _header_names("reset") if _is_number(headers.get(name, ""))), "")
        when = _reset_seconds(reset, now) if reset else None
    return None if when is None else min(max(when - now, 0.0), _LONGEST)


def seconds_until(again_at: str) -> float:
    """Seconds until a moment; 0 for "", and for one that is over."""
    return max(moments.parse_moment(again_at).timestamp() - time.time(), 0.0) if again_at else 0.0


def _is_exhausted(headers: Mapping[str, str]) -> bool:
    return any(headers.get(name) == "0" for name in _header_names("remaining"))


def _header_names(name: str) -> tuple[str, ...]:
    return tuple(prefix + name for prefix in _FAMILIES)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16


def _reset_seconds(reset: str, now: float) -> float:
    """Seconds since 1970 at which the limit is reset."""
    return float(reset) if int(reset) >= _EPOCH else now + int(reset)


def _parse_http_date(text: str) -> float | None:
    """Seconds since 1970 of a date as HTTP writes it; None for any other text."""
    try:
        found = parsedate_to_datetime(text)
        return (found if found.tzinfo else found.replace(tzinfo=datetime.UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _read_message(body: bytes) -> str:
    """Message of a refusal, in lower case; "" if it has none."""
    try:
        found: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    message = found.get("message") if isinstance(found, dict) else None
    return message.lower() if isinstance(message, str) else ""


def _format_moment(seconds: float) -> str:
    try:
        return moments.format_moment(datetime.datetime.fromtimestamp(seconds, datetime.UTC))
    except (OverflowError, ValueError, OSError):
        return ""
