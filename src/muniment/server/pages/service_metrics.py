"""Metrics by which an operator sees that the service falls behind: status, queue, rate limits, age of each fact.

Each is one query with an index or over few rows. What was never read has no age: another metric reports it.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Min, Q, QuerySet
from django.utils import timezone

from muniment.server.changes.models import ServerHookLog
from muniment.server.connections.models import Connection, ForgeChange, ProtectedBranch, RepositoryLink
from muniment.server.connections.rate_limits import list_limit_states
from muniment.server.deployments.models import TokenIssuer
from muniment.server.designs.models import DesignReading
from muniment.server.findings.models import CodeScan
from muniment.server.products.models import RepositoryScan
from muniment.server.registration import Metric
from muniment.server.secrets.models import VaultWatch
from muniment.server.updates.models import AdvisorySource, DependencyReading

_PERIOD = timedelta(days=1)
_MOST = 5_000  # first decisions of a day
_QUANTILES = {"0.5": 0.5, "0.95": 0.95}
_ACTIVE = Q(repository__product__retired_at=None)

# The moment when a job was enqueued: of one that was to begin later, when it was due.
_OLDEST_JOB = """
    SELECT extract(epoch FROM now() - min(greatest(event.at, coalesce(job.scheduled_at, event.at))))
    FROM procrastinate_jobs AS job JOIN procrastinate_events AS event ON event.job_id = job.id
    WHERE job.status = 'todo' AND event.type = 'deferred' AND (job.scheduled_at IS NULL OR job.scheduled_at <= now())
"""


def measure_time_to_status() -> Iterator[Metric]:
    """How long pull requests waited for their first decision within a day, and how long one waits now."""
    now = timezone.now()
    rows = ForgeChange.objects.filter(first_decided_at__gte=now - _PERIOD, opened_at__isnull=False)
    times = rows.order_by("-first_decided_at").values_list("opened_at", "first_decided_at")[:_MOST]
    pairs = [(opened, decided) for opened, decided in times if opened is not None and decided is not None]
    seconds = sorted((decided - opened).total_seconds() for opened, decided in pairs if decided >= opened)
    found = {name: _find_quantile(seconds, share) for name, share in _QUANTILES.items()} if seconds else {}
    text = "Time from opening a pull request to its first decision, of the last day."
    yield Metric("muniment_time_to_status_seconds", text, found, "quantile")
    due = ForgeChange.objects.filter(read_due_at__isnull=False, repository__product__retired_at=None)
    text = "How long the oldest pull request waits to be evaluated."
    yield Metric(
        "muniment_oldest_due_change_seconds", text, _measure_age(due.aggregate(at=Min("read_due_at"))["at"], now)
    )


def measure_queue_age() -> Iterator[Metric]:
    """How long the oldest job waits that could begin."""
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST_JOB)
        (seconds,) = cursor.fetchone() or (None,)
    yield Metric("muniment_oldest_task_seconds", "How long the oldest job waits that could begin.", float(seconds or 0))


def measure_rate_limits() -> Iterator[Metric]:
    """Share of its rate limit that each connection has left, and whether the forge refuses requests now."""
    left: dict[str, float] = {}
    refused: dict[str, int] = {}
    for row in Connection.objects.filter(ended_at=None).prefetch_related("rate_limits"):
        states = list_limit_states(row)
        shares = [one.remaining / one.limit for one in states if one.limit and one.remaining is not None]
        if shares:
            left[row.slug] = min(shares)
        refused[row.slug] = int(any(one.retry_at is not None for one in states))
    text = "Share of the rate limit that is left, from 0 to 1."
    yield Metric("muniment_rate_limit_left_ratio", text, left, "connection")
    yield Metric("muniment_rate_limit_refused", "Whether the forge refuses requests now.", refused, "connection")


def measure_fact_ages() -> Iterator[Metric]:
    """Age of the oldest reading of each kind of fact."""
    now = timezone.now()
    ages = {name: _measure_age(at, now) for name, at in _find_oldest_readings() if at is not None}
    yield Metric("muniment_fact_age_seconds", "Age of the oldest reading, by kind of fact.", ages, "fact")


def _find_oldest_readings() -> Iterator[tuple[str, datetime | None]]:
    """Kind of fact, and when the one was read that was read longest ago."""
    linked = RepositoryLink.objects.filter(_ACTIVE, connection__ended_at=None)
    branches = ProtectedBranch.objects.filter(repository__product__retired_at=None)
    active = Q(product__retired_at=None)
    yield "repository", _find_oldest(RepositoryScan.objects.filter(_ACTIVE), "finished_at")
    yield "forge_repository", _find_oldest(linked, "reconciled_at")
    yield "branch_rules", _find_oldest(branches, "rules_checked_at")
    yield "server_hook_log", _find_oldest(ServerHookLog.objects.filter(_ACTIVE), "read_at")
    yield "pipeline_keys", _find_oldest(TokenIssuer.objects.all(), "read_at")
    yield "code_scan", _find_oldest(CodeScan.objects.filter(_ACTIVE), "finished_at")
    yield "dependencies", _find_oldest(DependencyReading.objects.filter(_ACTIVE), "finished_at")
    yield "advisories", _find_oldest(AdvisorySource.objects.all(), "read_at")
    yield "design", _find_oldest(DesignReading.objects.filter(active), "finished_at")
    yield "vault_audit", _find_oldest(VaultWatch.objects.filter(ended_at=None), "looked_at")


def _find_oldest(rows: "QuerySet[Any]", column: str) -> datetime | None:
    found: datetime | None = rows.aggregate(at=Min(column))["at"]
    return found


def _measure_age(at: datetime | None, now: datetime) -> float:
    """Seconds since a moment, 0 for none."""
    return max(0.0, (now - at).total_seconds()) if at is not None else 0.0


def _find_quantile(values: Sequence[float], share: float) -> float:
    """Nearest rank of sorted values."""
    return values[min(len(values) - 1, max(0, -(-int(share * 100) * len(values) // 100) - 1))]
