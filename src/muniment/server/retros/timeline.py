"""Geometry of the schedule's timeline, made on the server as SVG. The list beside it has the same days."""

import datetime
from collections.abc import Sequence

from django.utils.formats import date_format
from msgspec import Struct

from muniment.server.retros.models import Improvement

_LEFT, _WIDTH, _ROW, _TOP = 200.0, 560.0, 32.0, 22.0
_BAR, _INDENT = 22.0, 8.0
_WEEK = 7
_MOST_WEEKS = 14  # labels; a longer schedule shows every second or third week


class TimelineBar(Struct, frozen=True):
    """Improvement in the timeline, in units of the drawing."""

    text: str
    label: str  # owner and hours
    x: float
    y: float
    width: float
    is_milestone: bool


class TimelineWeek(Struct, frozen=True):
    """Monday with its label, "" where there is no room for it."""

    x: float
    text: str


class TimelineLink(Struct, frozen=True):
    """Line from the end of an improvement to the beginning of the one that follows, as an SVG path."""

    path: str


class Timeline(Struct, frozen=True):
    """Drawing of a schedule. `first` and `last` are days for its description."""

    bars: tuple[TimelineBar, ...]
    weeks: tuple[TimelineWeek, ...]
    links: tuple[TimelineLink, ...]
    height: float
    bottom: float
    first: datetime.date
    last: datetime.date


def draw_timeline(improvements: Sequence[Improvement]) -> Timeline | None:
    """Timeline of the improvements that are planned, in their order; None without any."""
    rows = [(row, row.ends_on) for row in improvements if row.ends_on is not None]
    if not rows:
        return None
    first = min(row.starts_on for row, _end in rows)
    first -= datetime.timedelta(first.weekday())
    last = max(end for _row, end in rows)
    weeks = -(-((last - first).days + 1) // _WEEK)
    unit = _WIDTH / (weeks * _WEEK)
    bars: dict[int, TimelineBar] = {}
    for at, (row, end) in enumerate(rows):
        x = _LEFT + unit * (row.starts_on - first).days
        width = unit * ((end - row.starts_on).days + 1)
        label = f"{row.owner.name}, {row.hours} h"
        bars[row.pk] = TimelineBar(row.text, label, x, _TOP + _INDENT + at * _ROW, width, row.is_milestone)
    bottom = _TOP + _INDENT + len(rows) * _ROW
    links = [_draw_link(bars[row.follows_id], bars[row.pk]) for row, _end in rows if row.follows_id in bars]
    return Timeline(
        tuple(bars.values()), _list_weeks(first, weeks, unit), tuple(links), bottom + 20, bottom, first, last
    )


def _list_weeks(first: datetime.date, count: int, unit: float) -> tuple[TimelineWeek, ...]:
    step = -(-count // _MOST_WEEKS)
    days = [first + datetime.timedelta(each * _WEEK) for each in range(count)]
    return tuple(
        TimelineWeek(_LEFT + unit * at * _WEEK, date_format(day, "j M") if at % step == 0 else "")
        for at, day in enumerate(days)
    )


def _draw_link(before: TimelineBar, after: TimelineBar) -> TimelineLink:
    start, down = before.x + before.width, before.y + _BAR / 2
    middle, end = (start + after.x) / 2, after.y + _BAR / 2
    return TimelineLink(
        f"M{start:.1f} {down:.1f} L{middle:.1f} {down:.1f} L{middle:.1f} {end:.1f} L{after.x:.1f} {end:.1f}"
    )
