"""What the gate costs: how long people wait, how often they are denied and come back. Of a product, never of a person.

A week with fewer changes than `FEWEST` tells no times: they could be somebody's.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from statistics import median

from msgspec import Struct

from muniment.server.connections.models import ForgeChange
from muniment.server.products.models import Product

WEEKS, FEWEST = 12, 3
_MOST = 5_000  # changes that are looked at
_HEIGHT, _BAR, _GAP = 80, 20, 8


class Week(Struct, frozen=True):
    """The changes that were opened in one week. Minutes are medians, None where there are too few to tell."""

    begins: date
    changes: int
    to_verdict: float | None
    to_merge: float | None
    denials: int
    excepted: int
    reapprovals: int


class Bar(Struct, frozen=True):
    """One bar of the chart, in its own units, and what it says."""

    x: int
    y: int
    height: int
    words: str


def weeks(product: Product, now: datetime) -> list[Week]:
    """The last twelve, the oldest first; those before the first change are left out."""
    first = (now - timedelta(days=now.weekday(), weeks=WEEKS - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = ForgeChange.objects.filter(repository__product=product, opened_at__gte=first).order_by("-pk")[:_MOST]
    found: dict[int, list[ForgeChange]] = {number: [] for number in range(WEEKS)}
    for row in rows:
        if row.opened_at is not None:
            found.setdefault((row.opened_at - first).days // 7, []).append(row)
    begun = min((number for number, opened in found.items() if opened), default=WEEKS - 1)
    return [_week((first + timedelta(weeks=number)).date(), found[number]) for number in range(begun, WEEKS)]


def total(found: Sequence[Week]) -> Week:
    """All of them together; times are the medians of weeks that tell one."""
    return Week(
        found[0].begins,
        sum(week.changes for week in found),
        _median(week.to_verdict for week in found if week.to_verdict is not None),
        _median(week.to_merge for week in found if week.to_merge is not None),
        sum(week.denials for week in found),
        sum(week.excepted for week in found),
        sum(week.reapprovals for week in found),
    )


def bars(found: Sequence[Week]) -> list[Bar]:
    """Minutes to the verdict, week by week."""
    most = max((week.to_verdict or 0 for week in found), default=0) or 1
    drawn: list[Bar] = []
    for number, week in enumerate(found):
        height = 0 if week.to_verdict is None else max(1, round(_HEIGHT * week.to_verdict / most))
        told = "–" if week.to_verdict is None else f"{week.to_verdict:g}"
        drawn.append(Bar(number * (_BAR + _GAP), _HEIGHT - height, height, f"{week.begins:%d %b}: {told}"))
    return drawn


def _week(begins: date, rows: Sequence[ForgeChange]) -> Week:
    verdicts = [_minutes(row.opened_at, row.first_decided_at) for row in rows if row.opened_at and row.first_decided_at]
    merges = [_minutes(row.last_approved_at, row.merged_at) for row in rows if row.last_approved_at and row.merged_at]
    return Week(
        begins,
        len(rows),
        _median(verdicts) if len(verdicts) >= FEWEST else None,
        _median(merges) if len(merges) >= FEWEST else None,
        sum(row.denial_count for row in rows),
        sum(row.excepted_denial_count for row in rows),
        sum(row.reapproval_count for row in rows),
    )


def _median(values: Iterable[float]) -> float | None:
    found = list(values)
    return round(median(found), 1) if found else None


def _minutes(begun: datetime | None, ended: datetime | None) -> float:
    return max(0.0, (ended - begun).total_seconds() / 60) if begun and ended else 0.0
