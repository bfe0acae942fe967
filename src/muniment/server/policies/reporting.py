"""Which clauses only report for now, for whom, until when, and how long that has been so."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from django.utils import timezone
from msgspec import Struct

from muniment.errors import PolicyError
from muniment.policy.document import read_policy
from muniment.policy.model import Clause
from muniment.server.policies.models import MonitoringPeriod, PolicyVersion
from muniment.server.records.store import POLICY

_MOST = 50  # versions that are looked back through


class Reporting(Struct, frozen=True):
    """One time in which a clause only reports: for `product`, or for all if it is "". `slug` ends it early, if any."""

    product: str
    since: datetime | None
    until: date
    slug: str = ""

    @property
    def days(self) -> int:
        """How long it has been so."""
        return (timezone.now() - self.since).days if self.since is not None else 0


def reporting(clauses: Iterable[Clause], shown: Any) -> dict[str, list[Reporting]]:
    """Of each clause that does, when and where: as the policy says, and for those of the products that are shown."""
    today = timezone.now().date()
    found: dict[str, list[Reporting]] = {}
    days = {clause.id: clause.monitoring_until for clause in clauses if clause.monitoring_until}
    delayed = {name: until for name, until in days.items() if until >= today}
    since = _since(set(delayed)) if delayed else {}
    for name, until in delayed.items():
        found.setdefault(name, []).append(Reporting("", since.get(name), until))
    for row in MonitoringPeriod.current().filter(product__in=shown).select_related("product"):
        found.setdefault(row.clause, []).append(Reporting(row.product.name, row.started_at, row.last_day, row.slug))
    return found


def _since(names: set[str]) -> dict[str, datetime]:
    """Since when each of these has only reported without a break, over the versions that held one after another."""
    found: dict[str, datetime] = {}
    left = set(names)
    rows: Any = (
        PolicyVersion.objects.exclude(applied_at=None)
        .order_by("-applied_at", "-id")
        .values_list("text", "applied_at")[:_MOST]
    )
    for text, applied in rows:
        try:
            delayed = {clause.id for clause in read_policy(text, POLICY).clauses if clause.monitoring_until}
        except PolicyError:
            break  # of an older form: nobody can tell
        left &= delayed
        if not left:
            break
        found |= dict.fromkeys(left, applied)
    return found
