"""How much of what was merged the policy of now allows, week by week: as a drawing that is made here, and its table."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q
from django.db.models.functions import TruncWeek
from django.utils import timezone
from msgspec import Struct

from muniment.server.changes.models import Change

WEEKS = 26
HEIGHT, WIDE, GAP = 100, 16, 4


class Week(Struct, frozen=True):
    """One week, by its Monday: how many changes came in, how many of them are allowed; and where its bar stands."""

    monday: datetime
    changes: int
    allowed: int
    x: int

    @property
    def share(self) -> int:
        """Of a hundred; 0 of none."""
        return round(100 * self.allowed / self.changes) if self.changes else 0

    @property
    def y(self) -> int:
        """Where the allowed part of the bar begins, from above."""
        return HEIGHT - self.share


class Chart(Struct, frozen=True):
    """The weeks, oldest first, and how wide the drawing is."""

    weeks: tuple[Week, ...]

    @property
    def width(self) -> int:
        """Of the drawing."""
        return WEEKS * (WIDE + GAP)

    @property
    def changes(self) -> int:
        """Over all weeks."""
        return sum(week.changes for week in self.weeks)

    @property
    def share(self) -> int:
        """Of a hundred, over all weeks."""
        return round(100 * sum(week.allowed for week in self.weeks) / self.changes) if self.changes else 0


def chart(shown: Any) -> Chart:
    """The last half year of these products, in one query."""
    now = timezone.now()
    first = (now - timedelta(days=now.weekday(), weeks=WEEKS - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = Change.objects.filter(repository__product__in=shown, state=Change.State.MERGED, updated_at__gte=first)
    counted = {
        row["week"]: (row["changes"], row["allowed"])
        for row in rows.exclude(decision=None)
        .annotate(week=TruncWeek("updated_at"))
        .values("week")
        .annotate(changes=Count("id"), allowed=Count("id", filter=Q(decision__allowed=True)))
    }
    mondays = [first + timedelta(weeks=number) for number in range(WEEKS)]
    return Chart(
        tuple(
            Week(monday, *counted.get(monday, (0, 0)), x=number * (WIDE + GAP)) for number, monday in enumerate(mondays)
        )
    )
