"""Timeline of deployments as a picture: a lane for each environment, a mark for each deployment. Tables below say
the same.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.utils.translation import gettext_lazy as _

from muniment.server.deployments.models import BROKEN, DeploymentPermission, DeploymentState
from muniment.server.products.models import Environment

WIDTH, LANE, TOP, LEFT, RIGHT = 720, 34, 6, 120, 40
BOTTOM = 22  # below the lanes, for the dates

LEGEND = (  # the shapes, each with its words
    ("good", _("Deployed")),
    ("bad", _("Failed or not reported")),
    ("denied", _("Denied, revoked or withdrawn")),
    ("open", _("Under way")),
)


class Mark(NamedTuple):
    """Mark of a deployment: its position, and one of the shapes of the legend."""

    environment: int
    x: float
    y: float
    shape: str


class Lane(NamedTuple):
    """Lane of an environment, with its position."""

    name: str
    y: float


class DateLine(NamedTuple):
    """Vertical line with a date."""

    x: float
    moment: datetime


class LaneCounts(NamedTuple):
    """Row of the table behind the picture: an environment, and how many marks of each shape it has."""

    name: str
    cells: tuple[tuple[Any, int], ...]


class TimelineChart(NamedTuple):
    """Whole picture, in the units of its own box."""

    width: int
    height: int
    axis: int
    left: int
    right: int
    lanes: list[Lane]
    days: list[DateLine]
    marks: list[Mark]
    counts: list[LaneCounts]


def make_timeline_chart(
    environments: Iterable[Environment], permissions: Sequence[DeploymentPermission], days: int, now: datetime
) -> TimelineChart:
    """Make the picture of the last `days` until `now`."""
    places = list(environments)
    rows = {place.pk: TOP + LANE * (number + 0.5) for number, place in enumerate(places)}
    start = now - timedelta(days=days)
    marks = [_make_mark(one, rows, start, days) for one in permissions if one.deployment.environment_id in rows]
    axis = TOP + LANE * len(places)
    step = max(1, days // 6)
    lines = [
        DateLine(_horizontal_position(start + timedelta(days=at), start, days), start + timedelta(days=at))
        for at in range(0, days, step)
    ]
    lanes = [Lane(p.name, rows[p.pk]) for p in places]
    counted = Counter((mark.environment, mark.shape) for mark in marks)
    counts = [LaneCounts(p.name, tuple((text, counted[p.pk, shape]) for shape, text in LEGEND)) for p in places]
    return TimelineChart(WIDTH, axis + BOTTOM, axis, LEFT, WIDTH - RIGHT, lanes, lines, marks, counts)


def _make_mark(one: DeploymentPermission, rows: dict[int, float], start: datetime, days: int) -> Mark:
    shape = {
        DeploymentState.SUCCEEDED: "good",
        DeploymentState.DENIED: "denied",
        DeploymentState.REVOKED: "denied",
        DeploymentState.WITHDRAWN: "denied",
    }.get(DeploymentState(one.state), "open")
    if one.state in BROKEN:
        shape = "bad"
    place = one.deployment.environment_id
    return Mark(place, _horizontal_position(one.decided_at, start, days), rows[place], shape)


def _horizontal_position(moment: datetime, start: datetime, days: int) -> float:
    share = (moment - start) / timedelta(days=days)
    return round(LEFT + (WIDTH - LEFT - RIGHT) * min(max(share, 0.0), 1.0), 1)
