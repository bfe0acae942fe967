"""The timeline as a picture: a lane for each environment, a mark for each deployment. Tables below say the same."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from muniment.server.deployments.models import BROKEN, DeploymentPermission, DeploymentState

WIDTH, LANE, TOP, LEFT, RIGHT = 720, 34, 22, 120, 16


class Mark(NamedTuple):
    """One deployment: where, and which of the three shapes it is."""

    x: float
    y: float
    shape: str
    title: str


class Lane(NamedTuple):
    """One environment."""

    name: str
    y: float


class Day(NamedTuple):
    """A line with a date."""

    x: float
    moment: datetime


class Chart(NamedTuple):
    """All of it, in the units of its own box."""

    width: int
    height: int
    left: int
    right: int
    lanes: list[Lane]
    days: list[Day]
    marks: list[Mark]


def chart(environments: Iterable[Any], permissions: Sequence[DeploymentPermission], days: int, now: datetime) -> Chart:
    """The last `days` until `now`."""
    places = list(environments)
    rows = {place.pk: TOP + LANE * (number + 0.5) for number, place in enumerate(places)}
    start = now - timedelta(days=days)
    marks = [_mark(one, rows, start, days) for one in permissions if one.deployment.environment_id in rows]
    height = TOP + LANE * len(places) + 8
    step = max(1, days // 6)
    lines = [
        Day(_x(start + timedelta(days=at), start, days), start + timedelta(days=at)) for at in range(0, days, step)
    ]
    return Chart(WIDTH, height, LEFT, WIDTH - RIGHT, [Lane(p.name, rows[p.pk]) for p in places], lines, marks)


def _mark(one: DeploymentPermission, rows: dict[int, float], start: datetime, days: int) -> Mark:
    shape = {
        DeploymentState.SUCCEEDED: "good",
        DeploymentState.DENIED: "denied",
        DeploymentState.REVOKED: "denied",
    }.get(DeploymentState(one.state), "open")
    if one.state in BROKEN:
        shape = "bad"
    title = f"{one.deployment.environment.name}, {one.decided_at:%Y-%m-%d %H:%M}: {DeploymentState(one.state).label}"
    return Mark(_x(one.decided_at, start, days), rows[one.deployment.environment_id], shape, title)


def _x(moment: datetime, start: datetime, days: int) -> float:
    share = (moment - start) / timedelta(days=days)
    return round(LEFT + (WIDTH - LEFT - RIGHT) * min(max(share, 0.0), 1.0), 1)
