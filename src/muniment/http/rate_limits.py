"""What a server says of its rate limits, kept as a state: whoever shares it does not ask before the server wants to be.

A refusal is an answer with status 429, or with 403 where the server says so: no requests left (`X-RateLimit-Remaining`,
`RateLimit-Remaining`), `Retry-After`, or a message about a rate limit. It holds for one resource, a part of the server
that is counted by itself; a refusal although requests are left (GitHub's secondary limit) holds for all of them.

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

ALL = ""  # the resource that stands for every other

_FAMILIES = ("x-ratelimit-", "ratelimit-")
_EPOCH = 1_000_000_000  # a smaller number is seconds from now, a larger one seconds since 1970
_LONGEST = 3600.0  # seconds; whatever a server says, it is asked again then
_PAUSE, _LONGEST_PAUSE = 60, 960  # seconds; at first and at most, where the server does not say for how long
_WORDS = ("rate limit", "abuse detection")


class RefusalReason(StrEnum):
    """Why a server is not asked before a moment."""

    QUOTA_EXHAUSTED = "quota-exhausted"  # no requests are left until the reset that the server names
    SERVER_ASKED_TO_WAIT = "server-asked-to-wait"  # `Retry-After`
    NO_MOMENT_GIVEN = "no-moment-given"  # the server refused and named no moment: the pause is our own


class RateLimit(Struct, frozen=True):
    """A rate limit as last told: of `limit` requests, `left` are left until `reset`; -1 and "" where it is unknown.

    `again_at` is the moment before which nothing is asked, "" if nothing was refused, and `reason` says why; `pause`
    is the seconds until then where they are our guess.
    """

    limit: int = -1
    left: int = -1
    reset: str = ""
    again_at: str = ""
    pause: int = 0
    reason: RefusalReason | None = None


class RateLimitStore(Protocol):
    """Where the rate limits of one account at one server are kept, by resource, for all processes that use it."""

    def load(self) -> Mapping[str, RateLimit]:
        """All of them, by resource."""

    def save(self, resource: str, limit: RateLimit) -> None:
        """Replace one of them, but never a refusal by one that ends earlier (`keep_refusal`)."""


class MemoryStore:
    """Rate limits that this process alone knows."""

    def __init__(self) -> None:
        self._limits: dict[str, RateLimit] = {}

    def load(self) -> Mapping[str, RateLimit]:
        """All of them, by resource."""
        return dict(self._limits)

    def save(self, resource: str, limit: RateLimit) -> None:
        """Replace one of them, and keep a later refusal."""
        self._limits[resource] = keep_refusal(limit, self._limits.get(resource, RateLimit()))


def keep_refusal(told: RateLimit, stored: RateLimit) -> RateLimit:
    """`told` with the later refusal of the two: an answer that was under way does not end one that came meanwhile."""
    if stored.again_at <= told.again_at:
        return told
    return msgspec.structs.replace(told, again_at=stored.again_at, pause=stored.pause, reason=stored.reason)


class Limiter:
    """Keeps the rate limit of one resource; nothing is asked while a refusal holds."""

    def __init__(
        self, store: RateLimitStore | None = None, resource: str = "rest", clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store if store is not None else MemoryStore()
        self._resource = resource
        self._clock = clock

    def all_limits(self) -> Mapping[str, RateLimit]:
        """Every limit of the account, by resource."""
        return self._store.load()

    def current(self) -> RateLimit:
        """The limit of this resource as last told."""
        return self.all_limits().get(self._resource, RateLimit())

    def check(self, origin: str) -> RateLimit:
        """The limit of this resource as last told. Raises HttpError (RATE_LIMITED) while a refusal holds."""
        limits, now = self._store.load(), _moment(self._clock())
        again = max(limits.get(name, RateLimit()).again_at for name in (ALL, self._resource))
        if again > now:
            raise refusal(origin, again)
        return limits.get(self._resource, RateLimit())

    def update(self, headers: Mapping[str, str], before: RateLimit) -> None:
        """Keep what an answer says of the limit. `before` is what was known when the request was sent.

        A refusal that came meanwhile stays: no store replaces one by none.
        """
        told = read_headers(headers, before, self._clock())
        if told != before:
            self._store.save(self._resource, told)

    def refuse(self, origin: str, headers: Mapping[str, str]) -> HttpError:
        """Keep that an answer refuses; the error that says so."""
        now, limits = self._clock(), self._store.load()
        resource = self._resource if _none_left(headers) else ALL
        before = limits.get(resource, RateLimit())
        seconds = seconds_until_retry(headers, now)
        pause, reason = 0, RefusalReason.SERVER_ASKED_TO_WAIT if resource == ALL else RefusalReason.QUOTA_EXHAUSTED
        if seconds is None:
            reason = RefusalReason.NO_MOMENT_GIVEN
            pause = _next_pause(before, now)
            seconds = float(pause)
        told = read_headers(headers, before, now) if resource else before
        again = _moment(now + seconds)
        refused = msgspec.structs.replace(told, again_at=again, pause=pause, reason=reason)
        self._store.save(resource, refused)
        return refusal(origin, again)


def _next_pause(before: RateLimit, now: float) -> int:
    """Seconds: longer than the last time, if that was lately; the same while it lasts, for what was under way."""
    if before.pause and before.again_at > _moment(now):
        return before.pause
    lately = before.pause and before.again_at > _moment(now - before.pause)
    return min(2 * before.pause, _LONGEST_PAUSE) if lately else _PAUSE


def refusal(origin: str, again_at: str) -> HttpError:
    """The error for a server that is not to be asked before a moment ("" if that is unknown)."""
    when = f"at {again_at[:19]}Z" if again_at else "later"
    return HttpError(HttpCode.RATE_LIMITED, f"the rate limit of {origin} is used up", f"Try again {when}.", again_at)


def is_refusal(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether an answer says that too much was asked."""
    if status != 403:
        return status == 429
    return _none_left(headers) or "retry-after" in headers or any(word in _message(body) for word in _WORDS)


def read_headers(headers: Mapping[str, str], before: RateLimit, now: float) -> RateLimit:
    """What the headers of an answer say of the limit; `before` if they say nothing."""
    for prefix in _FAMILIES:
        left, limit, reset = (headers.get(prefix + name, "") for name in ("remaining", "limit", "reset"))
        if _is_number(left):
            return msgspec.structs.replace(
                before,
                limit=int(limit) if _is_number(limit) else -1,
                left=int(left),
                reset=_moment(_seconds(reset, now)) if _is_number(reset) else "",
            )
    return before


def seconds_until_retry(headers: Mapping[str, str], now: float) -> float | None:
    """How long to wait: `Retry-After` in seconds or as a date, else until the limit is reset; None if untold.

    Never more than an hour, and never less than nothing.
    """
    after = headers.get("retry-after", "")
    if _is_number(after):
        return min(float(after), _LONGEST)
    when = _date(after)
    if when is None and _none_left(headers):
        told = next((headers[name] for name in _names("reset") if _is_number(headers.get(name, ""))), "")
        when = _seconds(told, now) if told else None
    return None if when is None else min(max(when - now, 0.0), _LONGEST)


def seconds_until(again_at: str) -> float:
    """Seconds until a moment; 0 for "", and for one that is over."""
    return max(moments.parse(again_at).timestamp() - time.time(), 0.0) if again_at else 0.0


def _none_left(headers: Mapping[str, str]) -> bool:
    return any(headers.get(name) == "0" for name in _names("remaining"))


def _names(name: str) -> tuple[str, ...]:
    return tuple(prefix + name for prefix in _FAMILIES)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16


def _seconds(reset: str, now: float) -> float:
    """Seconds since 1970."""
    return float(reset) if int(reset) >= _EPOCH else now + int(reset)


def _date(text: str) -> float | None:
    """Seconds since 1970 of a date as HTTP writes it; None for what is none."""
    try:
        found = parsedate_to_datetime(text)
        return (found if found.tzinfo else found.replace(tzinfo=datetime.UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _message(body: bytes) -> str:
    """The message of a refusal, in small letters; "" if it has none."""
    try:
        found: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    told = found.get("message") if isinstance(found, dict) else None
    return told.lower() if isinstance(told, str) else ""


def _moment(seconds: float) -> str:
    try:
        return moments.text(datetime.datetime.fromtimestamp(seconds, datetime.UTC))
    except (OverflowError, ValueError, OSError):
        return ""
