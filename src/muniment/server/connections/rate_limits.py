"""Rate limits of a connection in the database: no process sends a request before the forge permits it again."""

import time
from datetime import datetime
from typing import NamedTuple

from django.db import connection as database
from django.utils import timezone
from django.utils.translation import gettext_lazy

from muniment.facts.moments import parse_moment
from muniment.http.rate_limits import RateLimit, RefusalReason, merge_refusal
from muniment.server import moments
from muniment.server.connections.models import Connection, ConnectionRateLimit

_INTERVAL_SECONDS = 5.0  # between two writings of what is left, which changes with each answer
_CACHE_SECONDS = 1.0  # in which a refusal to another process may be unknown here: requests under way do not know it too

_LOAD = """
    SELECT resource, request_limit, remaining, reset_at, retry_at, pause_seconds, reason
    FROM connections_connectionratelimit WHERE connection_id = %s
"""
# A refusal is only ever replaced by one that ends later: two processes may receive different ones at once.
_SAVE = """
    INSERT INTO connections_connectionratelimit AS stored
        (connection_id, resource, request_limit, remaining, reset_at, retry_at, pause_seconds, reason)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (connection_id, resource) DO UPDATE SET
        (request_limit, remaining, reset_at) = (EXCLUDED.request_limit, EXCLUDED.remaining, EXCLUDED.reset_at),
        (retry_at, pause_seconds, reason) = (SELECT refused.* FROM (VALUES
            (EXCLUDED.retry_at, EXCLUDED.pause_seconds, EXCLUDED.reason),
            (stored.retry_at, stored.pause_seconds, stored.reason)
        ) AS refused (retry_at, pause_seconds, reason) ORDER BY refused.retry_at DESC NULLS LAST LIMIT 1)
"""


class SharedRateLimits:
    """A `RateLimitStore` for one thread of the worker. Refusals are written at once, remaining counts at intervals.

    A refusal whose transaction was rolled back is written again: the forge refused all the same.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection.pk
        self._reported: dict[str, RateLimit] = {}  # in answers to this process
        self._reported_at: dict[str, float] = {}
        self._written_at: dict[str, float] = {}
        self._stored: dict[str, RateLimit] = {}
        self._loaded_at = -_CACHE_SECONDS

    def load_limits(self) -> dict[str, RateLimit]:
        """Load all limits by resource: every process's refusals, and the remaining counts as reported last."""
        stored = dict(self._load_stored())
        for resource, limit in self._reported.items():
            before = stored.get(resource, RateLimit())
            if limit.again_at > before.again_at:
                self._write_limit(resource, limit)
            counts = limit if time.monotonic() < self._reported_at[resource] + _INTERVAL_SECONDS else before
            stored[resource] = merge_refusal(merge_refusal(counts, limit), before)
        return stored

    def _load_stored(self) -> dict[str, RateLimit]:
        """Limits in the database, as they are or were a moment ago."""
        now = time.monotonic()
        if now >= self._loaded_at + _CACHE_SECONDS:
            with database.cursor() as cursor:  # without the time that a model takes
                cursor.execute(_LOAD, [self._connection])
                self._stored = {resource: _make_rate_limit(*columns) for resource, *columns in cursor.fetchall()}
            self._loaded_at = now
        return self._stored

    def save_limit(self, resource: str, limit: RateLimit) -> None:
        """Replace a limit, and keep a later refusal."""
        before, now = self._reported.get(resource, RateLimit()), time.monotonic()
        self._reported[resource], self._reported_at[resource] = limit, now
        due = now >= self._written_at.get(resource, 0.0) + _INTERVAL_SECONDS
        if due or limit.again_at > before.again_at:
            self._write_limit(resource, limit)

    def _write_limit(self, resource: str, limit: RateLimit) -> None:
        reset, retry = (parse_moment(moment) if moment else None for moment in (limit.reset, limit.again_at))
        counts, reason = (limit.limit, limit.left, reset), limit.reason or ""
        with database.cursor() as cursor:
            cursor.execute(_SAVE, [self._connection, resource, *counts, retry, limit.pause, reason])
        self._written_at[resource] = time.monotonic()
        self._loaded_at = -_CACHE_SECONDS


def _make_rate_limit(
    limit: int, remaining: int, reset_at: datetime | None, retry_at: datetime | None, pause: int, reason: str
) -> RateLimit:
    """Rate limit of a row, in the form of the HTTP client."""
    reset, retry = (moments.format_moment(moment) if moment is not None else "" for moment in (reset_at, retry_at))
    return RateLimit(limit, remaining, reset, retry, pause, RefusalReason(reason) if reason else None)


class RateLimitState(NamedTuple):
    """Rate limit as people and programs see it. None means that the forge did not report it.

    `retry_at`: no request is sent before it, because of `reason`; None unless that moment is still to come. `remaining`
    is None once `reset_at` is over, since no request was sent after it.
    """

    resource: str
    limit: int | None
    remaining: int | None
    reset_at: datetime | None
    retry_at: datetime | None
    reason: RefusalReason | None

    @property
    def explanation(self) -> str:
        """Reason why no request is sent, in a sentence; "" if nothing is refused."""
        return str(_EXPLANATIONS[self.reason]) if self.reason is not None else ""


_EXPLANATIONS = {
    RefusalReason.QUOTA_EXHAUSTED: gettext_lazy("No requests are left until the limit is reset."),
    RefusalReason.SERVER_ASKED_TO_WAIT: gettext_lazy("The forge asked us to wait."),
    RefusalReason.NO_MOMENT_GIVEN: gettext_lazy(
        "The forge refused without saying for how long: we wait, longer each time."
    ),
}


def list_limit_states(connection: Connection) -> tuple[RateLimitState, ...]:
    """Rate limits of a connection at this moment, by resource."""
    now = timezone.now()
    return tuple(_make_state(row, now) for row in connection.rate_limits.all())


def _make_state(row: ConnectionRateLimit, now: datetime) -> RateLimitState:
    refused = row.retry_at is not None and row.retry_at > now
    over = row.reset_at is not None and row.reset_at <= now
    return RateLimitState(
        resource=row.resource,
        limit=row.request_limit if row.request_limit >= 0 else None,
        remaining=row.remaining if row.remaining >= 0 and not over else None,
        reset_at=row.reset_at,
        retry_at=row.retry_at if refused else None,
        reason=RefusalReason(row.reason) if refused else None,
    )
