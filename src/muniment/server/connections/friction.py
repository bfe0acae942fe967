"""Waiting times: how long changes wait, how often they are denied and return. Of a product, never of a person.

A week with fewer changes than `FEWEST` shows no times: they could be those of one person.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from statistics import median

from django.utils.formats import date_format
from msgspec import Struct

from muniment.server.components.charts import LineChart, make_line_chart
from muniment.server.connections.models import ForgeChange
from muniment.server.products.models import Product

WEEKS, FEWEST = 12, 3
_MOST = 5_000  # changes that are looked at


class FrictionWeek(Struct, frozen=True):
    """Changes that were opened in one week. Minutes are medians, None if there are too few changes."""

    begins: date
    changes: int
    to_decision: float | None
    to_merge: float | None
    denials: int
    excepted: int
    reapprovals: int


def measure_weeks(product: Product, now: datetime) -> list[FrictionWeek]:
    """The last twelve weeks, the oldest first, without those before the first change."""
    first = (now - timedelta(days=now.weekday(), weeks=WEEKS - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = ForgeChange.objects.filter(repository__product=product, opened_at__gte=first).order_by("-pk")[:_MOST]
    found: dict[int, list[ForgeChange]] = {number: [] for number in range(WEEKS)}
    for row in rows:
        if row.opened_at is not None:
            found.setdefault((row.opened_at - first).days // 7, []).append(row)
    begun = min((number for number, opened in found.items() if opened), default=WEEKS - 1)
    return [_measure_week((first + timedelta(weeks=number)).date(), found[number]) for number in range(begun, WEEKS)]


def summarise_weeks(found: Sequence[FrictionWeek]) -> FrictionWeek:
    """Summarise all weeks together; times are the medians of the weeks that have one."""
    return FrictionWeek(
        found[0].begins,
        sum(week.changes for week in found),
        _find_median(week.to_decision for week in found if week.to_decision is not None),
        _find_median(week.to_merge for week in found if week.to_merge is not None),
        sum(week.denials for week in found),
        sum(week.excepted for week in found),
        sum(week.reapprovals for week in found),
    )


def draw_decision_times(found: Sequence[FrictionWeek]) -> LineChart | None:
    """Line of the minutes to the decision, over the weeks that have one; None without any time above 0."""
    points = [(date_format(week.begins, "j M"), week.to_decision) for week in found if week.to_decision is not None]
    return make_line_chart(points) if any(minutes for _label, minutes in points) else None


def _measure_week(begins: date, rows: Sequence[ForgeChange]) -> FrictionWeek:
    decisions = [
        _count_minutes(row.opened_at, row.first_decided_at) for row in rows if row.opened_at and row.first_decided_at
    ]
    merges = [
        _count_minutes(row.last_approved_at, row.merged_at) for row in rows if row.last_approved_at and row.merged_at
    ]
    return FrictionWeek(
        begins,
        len(rows),
        _find_median(decisions) if len(decisions) >= FEWEST else None,
        _find_median(merges) if len(merges) >= FEWEST else None,
        sum(row.denial_count for row in rows),
        sum(row.excepted_denial_count for row in rows),
        sum(row.reapproval_count for row in rows),
    )


def _find_median(values: Iterable[float]) -> float | None:
    found = list(values)
    return round(median(found), 1) if found else None


def _count_minutes(begun: datetime | None, ended: datetime | None) -> float:
    return max(0.0, (ended - begun).total_seconds() / 60) if begun and ended else 0.0
