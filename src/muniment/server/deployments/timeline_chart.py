"""Timeline of deployments as a picture: a lane for each environment, a mark for each deployment. Tables below say
the same.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from muniment.server.deployments.models import BROKEN, DeploymentPermission, DeploymentState

WIDTH, LANE, TOP, LEFT, RIGHT = 720, 34, 22, 120, 16


class Mark(NamedTuple):
    """Mark of a deployment: its position, and one of three shapes."""

    x: float
    y: float
    shape: str
    title: str


class Lane(NamedTuple):
    """Lane of an environment, with its position."""

    name: str
    y: float


class DateLine(NamedTuple):
    """Vertical line with a date."""

    x: float
    moment: datetime


class TimelineChart(NamedTuple):
    """Whole picture, in the units of its own box."""

    width: int
    height: int
    left: int
    right: int
    lanes: list[Lane]
    days: list[DateLine]
    marks: list[Mark]


def make_timeline_chart(
    environments: Iterable[Any], permissions: Sequence[DeploymentPermission], days: int, now: datetime
) -> TimelineChart:
    """Make the picture of the last `days` until `now`."""
    places = list(environments)
    rows = {place.pk: TOP + LANE * (number + 0.5) for number, place in enumerate(places)}
    start = now - timedelta(days=days)
    marks = [_make_mark(one, rows, start, days) for one in permissions if one.deployment.environment_id in rows]
    height = TOP + LANE * len(places) + 8
    step = max(1, days // 6)
    lines = [
        DateLine(_horizontal_position(start + timedelta(days=at), start, days), start + timedelta(days=at))
        for at in range(0, days, step)
    ]
    return TimelineChart(WIDTH, height, LEFT, WIDTH - RIGHT, [Lane(p.name, rows[p.pk]) for p in places], lines, marks)


def _make_mark(one: DeploymentPermission, rows: dict[int, float], start: datetime, days: int) -> Mark:
    shape = {
        DeploymentState.SUCCEEDED: "good",
        DeploymentState.DENIED: "denied",
        DeploymentState.REVOKED: "denied",
    }.get(DeploymentState(one.state), "open")
    if one.state in BROKEN:
        shape = "bad"
    title = f"{one.deployment.environment.name}, {one.decided_at:%Y-%m-%d %H:%M}: {DeploymentState(one.state).label}"
    return Mark(_horizontal_position(one.decided_at, start, days), rows[one.deployment.environment_id], shape, title)


def _horizontal_position(moment: datetime, start: datetime, days: int) -> float:
    share = (moment - start) / timedelta(days=days)
    return round(LEFT + (WIDTH - LEFT - RIGHT) * min(max(share, 0.0), 1.0), 1)
