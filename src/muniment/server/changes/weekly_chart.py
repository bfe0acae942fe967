"""Share of merged changes that the current policy allows, week by week: as a drawing that is made here, and its
table.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q
from django.db.models.functions import TruncWeek
from django.utils import timezone
from msgspec import Struct

from muniment.server.changes.models import Change

WEEKS = 26
HEIGHT, WIDE, GAP = 100, 16, 4


class ChartWeek(Struct, frozen=True):
    """Week, by its Monday: its number of merged changes and of allowed ones; and the position of its bar."""

    monday: datetime
    changes: int
    allowed: int
    x: int

    @property
    def share(self) -> int:
        """Percentage of allowed changes; 0 without changes."""
        return round(100 * self.allowed / self.changes) if self.changes else 0

    @property
    def y(self) -> int:
        """Distance of the bar's allowed part from the top."""
        return HEIGHT - self.share


class WeeklyChart(Struct, frozen=True):
    """Weeks of the chart, oldest first, and the width of the drawing."""

    weeks: tuple[ChartWeek, ...]

    @property
    def width(self) -> int:
        """Width of the drawing, in its units."""
        return WEEKS * (WIDE + GAP)

    @property
    def changes(self) -> int:
        """Number of merged changes over all weeks."""
        return sum(week.changes for week in self.weeks)

    @property
    def share(self) -> int:
        """Percentage of allowed changes over all weeks."""
        return round(100 * sum(week.allowed for week in self.weeks) / self.changes) if self.changes else 0


def make_weekly_chart(product_rows: Any) -> WeeklyChart:
    """Make the chart of these products' last half year, in one query."""
    now = timezone.now()
    first = (now - timedelta(days=now.weekday(), weeks=WEEKS - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = Change.objects.filter(repository__product__in=product_rows, state=Change.State.MERGED, updated_at__gte=first)
    counted = {
        row["week"]: (row["changes"], row["allowed"])
        for row in rows.exclude(decision=None)
        .annotate(week=TruncWeek("updated_at"))
        .values("week")
        .annotate(changes=Count("id"), allowed=Count("id", filter=Q(decision__allowed=True)))
    }
    mondays = [first + timedelta(weeks=number) for number in range(WEEKS)]
    return WeeklyChart(
        tuple(
            ChartWeek(monday, *counted.get(monday, (0, 0)), x=number * (WIDE + GAP))
            for number, monday in enumerate(mondays)
        )
    )
