"""Clauses in monitoring: for which products, until when, and since when."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from msgspec import Struct

from muniment.errors import PolicyError
from muniment.policy.document import parse_policy
from muniment.policy.model import Clause
from muniment.server.policies.models import MonitoringPeriod, PolicyVersion
from muniment.server.records.postgres_store import POLICY
from muniment.server.remembered_sql import remember_instances

_MOST = 50  # versions that are looked back through


class ClauseMonitoring(Struct, frozen=True):
    """Period in which a clause does not block: for `product`, or for all if it is "". `slug` ends it early, if any."""

    product: str
    since: datetime | None
    until: date
    slug: str = ""

    @property
    def days(self) -> int:
        """Days since its start."""
        return (timezone.now() - self.since).days if self.since is not None else 0


def find_monitoring(clauses: Iterable[Clause], product_rows: Any) -> dict[str, list[ClauseMonitoring]]:
    """Monitoring of each clause: as the policy says, and for those of the products that are shown."""
    today = timezone.now().date()
    found: dict[str, list[ClauseMonitoring]] = {}
    days = {clause.id: clause.monitoring_until for clause in clauses if clause.monitoring_until}
    delayed = {name: until for name, until in days.items() if until >= today}
    since = _find_monitoring_starts(set(delayed)) if delayed else {}
    for name, until in delayed.items():
        found.setdefault(name, []).append(ClauseMonitoring("", since.get(name), until))
    for row in _read_periods(today, tuple(one.pk for one in product_rows)):
        found.setdefault(row.clause, []).append(
            ClauseMonitoring(row.product.name, row.started_at, row.last_day, row.slug)
        )
    return found


@remember_instances
def _read_periods(today: date, products: tuple[int, ...]) -> "QuerySet[MonitoringPeriod]":
    return MonitoringPeriod.find_current_periods(today).filter(product__in=products).select_related("product")


def _find_monitoring_starts(names: set[str]) -> dict[str, datetime]:
    """Since when each of these clauses has been in monitoring without a break, over successive versions."""
    found: dict[str, datetime] = {}
    left = set(names)
    rows: Any = (
        PolicyVersion.objects.exclude(applied_at=None)
        .order_by("-applied_at", "-id")
        .values_list("text", "applied_at")[:_MOST]
    )
    for text, applied in rows:
        try:
            delayed = {clause.id for clause in parse_policy(text, POLICY).clauses if clause.monitoring_until}
        except PolicyError:
            break  # of an older form: nobody can tell
        left &= delayed
        if not left:
            break
        found |= dict.fromkeys(left, applied)
    return found
