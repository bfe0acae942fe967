"""Share of merged changes that the current policy allows, week by week."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q
from django.db.models.functions import TruncWeek
from django.utils import timezone
from django.utils.formats import date_format
from msgspec import Struct

from muniment.server.changes.models import Change
from muniment.server.components.charts import ColumnChart, make_column_chart

WEEKS = 26


class ChartWeek(Struct, frozen=True):
    """Week, by its Monday: its number of merged changes and of allowed ones."""

    monday: datetime
    changes: int
    allowed: int

    @property
    def share(self) -> int:
        """Percentage of allowed changes; 0 without changes."""
        return round(100 * self.allowed / self.changes) if self.changes else 0


class WeeklyChart(Struct, frozen=True):
    """Weeks of the chart, oldest first."""

    weeks: tuple[ChartWeek, ...]

    @property
    def changes(self) -> int:
        """Number of merged changes over all weeks."""
        return sum(week.changes for week in self.weeks)

    @property
    def allowed(self) -> int:
        """Number of allowed changes over all weeks."""
        return sum(week.allowed for week in self.weeks)

    @property
    def column_chart(self) -> ColumnChart:
        """Drawing with a column for each week since the first one with a merge."""
        first = next((number for number, week in enumerate(self.weeks) if week.changes), 0)
        return make_column_chart(
            [
                (
                    date_format(week.monday, "j M"),
                    {"passing": week.allowed, "failing": week.changes - week.allowed},
                )
                for week in self.weeks[first:]
            ]
        )


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
    return WeeklyChart(tuple(ChartWeek(monday, *counted.get(monday, (0, 0))) for monday in mondays))
