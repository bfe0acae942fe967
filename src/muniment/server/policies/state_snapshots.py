"""Stores how many checks are in each state, week by week, and reads them as a trend by week or by quarter."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import QuerySet, Sum
from django.utils import timezone

from muniment.server.policies.models import StateSnapshot
from muniment.server.policies.policy_in_force import current_policy
from muniment.server.policies.state_counts import (
    ProductScope,
    StateCounts,
    count_by_product_and_section,
    find_excepted_checks,
    sum_counts,
)
from muniment.server.products.models import Product
from muniment.server.remembered_sql import remember_sql

QUARTERS, WEEKS = 8, 26  # of a trend, at most
_BATCH = 1000
_COLUMNS = StateCounts._fields


class TrendPoint(NamedTuple):
    """Counts at the end of a week or quarter, which begins on `start`; of the current one as they are today."""

    start: date
    is_quarter: bool
    counts: StateCounts

    @property
    def label(self) -> str:
        """Name of the quarter, or the day on which the week began."""
        return format_quarter(self.start) if self.is_quarter else f"{self.start.day} {self.start:%b}"


def begin_week(day: date) -> date:
    """Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def begin_quarter(day: date) -> date:
    """First day of a day's quarter."""
    return date(day.year, day.month - (day.month - 1) % 3, 1)


def format_quarter(day: date) -> str:
    """Quarter of a day, such as Q4 26."""
    return f"Q{(day.month + 2) // 3} {day.year % 100:02}"


def store_snapshots(now: datetime | None = None) -> int:
    """Store today's counts as those of this week, for each active product and for all; how many rows were written."""
    week = begin_week((now or timezone.now()).date())
    policy = current_policy()
    if policy is None:
        return 0
    products = tuple(Product.objects.filter(retired_at=None).order_by("pk").values_list("pk", flat=True))
    excepted = find_excepted_checks(ProductScope(products, (), len(products)))
    counted = count_by_product_and_section(policy, products, excepted)
    wanted: dict[tuple[int | None, str], StateCounts] = {}
    for product, sections in counted.items():
        wanted |= {(product, section): counts for section, counts in sections.items()}
        wanted[product, ""] = sum_counts(sections.values())
    for section in ("", *(one.id for one in policy.sections)):
        wanted[None, section] = sum_counts(wanted[product, section] for product in products)
    return _save_week(week, wanted)


def _save_week(week: date, wanted: dict[tuple[int | None, str], StateCounts]) -> int:
    with transaction.atomic():
        rows = StateSnapshot.objects.filter(week=week)
        stored = {(row[0], row[1]): StateCounts(*row[2:]) for row in rows.values_list("product", "section", *_COLUMNS)}
        gone = [key for key in stored if key not in wanted]
        for product, section in gone:  # of a product that was retired, or a section that the policy no longer has
            rows.filter(product=product, section=section).delete()
        changed = [
            StateSnapshot(product_id=product, section=section, week=week, **counts._asdict())
            for (product, section), counts in wanted.items()
            if stored.get((product, section)) != counts
        ]
        StateSnapshot.objects.bulk_create(
            changed,
            batch_size=_BATCH,
            update_conflicts=True,
            unique_fields=["product", "section", "week"],
            update_fields=_COLUMNS,
        )
    return len(gone) + len(changed)


def read_trend(scope: ProductScope, current: StateCounts, today: date) -> list[TrendPoint]:
    """Trend of all checks of some products, oldest first; the last point is `current`.

    By quarter once the ends of two quarters are there, by week before.
    """
    quarters = {_find_last_week(start): start for start in _list_quarters(today)}
    week = begin_week(today)
    weeks = [week - timedelta(weeks=n) for n in range(1, WEEKS)]
    found = {row[0]: StateCounts(*row[1:]) for row in _sum_weeks(scope.ids, tuple({*quarters, *weeks}))}
    by_quarter = sum(end in found for end in quarters) > 1
    starts = quarters if by_quarter else {one: one for one in weeks}
    past = [TrendPoint(starts[end], by_quarter, found[end]) for end in sorted(found) if end in starts]
    return [*past, TrendPoint(begin_quarter(today) if by_quarter else week, by_quarter, current)]


@remember_sql
def _sum_weeks(ids: tuple[int, ...] | None, weeks: tuple[date, ...]) -> "QuerySet[Any, tuple[Any, ...]]":
    """First day and counts of each of these weeks, over some products or all."""
    rows = StateSnapshot.objects.filter(section="", week__in=weeks)
    rows = rows.filter(product=None) if ids is None else rows.filter(product__in=ids)
    return rows.values_list("week").annotate(*(Sum(name) for name in _COLUMNS))


def _list_quarters(today: date) -> list[date]:
    """First days of the quarters before today's, the newest first."""
    found: list[date] = []
    start = begin_quarter(today)
    for _ in range(1, QUARTERS):
        start = begin_quarter(start - timedelta(days=1))
        found.append(start)
    return found


def _find_last_week(quarter: date) -> date:
    """Monday of the last week that begins in a quarter."""
    return begin_week(begin_quarter(quarter + timedelta(days=100)) - timedelta(days=1))


def find_change_in_points(trend: Iterable[TrendPoint]) -> int | None:
    """By how many percentage points the share of passing checks changed since the point before the last."""
    shares = [round(100 * one.counts.passing / one.counts.total) for one in trend if one.counts.total]
    return shares[-1] - shares[-2] if len(shares) > 1 else None
