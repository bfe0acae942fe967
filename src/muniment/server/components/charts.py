"""Geometry of charts, made on the server as SVG: colours and patterns by class, a table of figures behind."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from muniment.server.components.statuses import EXCEPTION, FAILING, PASSING, UNKNOWN, Status

_ORDER: tuple[Status, ...] = (PASSING, EXCEPTION, UNKNOWN, FAILING)
_BAR_WIDTH, _BAR_HEIGHT, _BAR_GAP = 400.0, 12.0, 1.5
_LEFT, _RIGHT, _TOP, _BOTTOM = 40.0, 530.0, 20.0, 210.0


class Part(NamedTuple):
    """Rectangle of a chart, in its units, with the count that it stands for."""

    status: Status
    number: int
    x: float
    y: float
    width: float
    height: float


class StatusBar(NamedTuple):
    """Bar of statuses side by side. `parts` are those with a count above 0."""

    parts: tuple[Part, ...]
    counts: tuple[tuple[Status, int], ...]
    total: int

    @property
    def passing_share(self) -> int:
        """Percentage of passing ones, rounded down so that 100 means all; 0 without any."""
        return 100 * self.counts[0][1] // self.total if self.total else 0


class Tick(NamedTuple):
    """Line of an axis with its label, at a height of the chart."""

    y: float
    text: str


class Column(NamedTuple):
    """Column of a chart: its label, its parts from the bottom, and the figures of its row in the table."""

    text: str
    middle: float
    parts: tuple[Part, ...]
    counts: tuple[tuple[Status, int], ...]
    total: int
    labelled: bool  # whether the label stands at the axis: a long row shows every n-th


class Point(NamedTuple):
    """Point of a line: its label, position and value."""

    text: str
    x: float
    y: float
    value: float
    shown: str
    labelled: bool


class ColumnChart(NamedTuple):
    """Columns of statuses over time, with the axis in percent."""

    ticks: tuple[Tick, ...]
    columns: tuple[Column, ...]


class LineChart(NamedTuple):
    """Line over time with an axis from 0 to `top`."""

    ticks: tuple[Tick, ...]
    points: tuple[Point, ...]
    path: str


def make_status_bar(counts: Mapping[str, int]) -> StatusBar:
    """Bar of the statuses `passing`, `exception`, `unknown` and `failing`, by their counts."""
    listed = _list_counts(counts)
    total = sum(count for _status, count in listed)
    shown = [(status, count) for status, count in listed if count]
    room = _BAR_WIDTH - _BAR_GAP * len(shown)
    parts: list[Part] = []
    at = 0.0
    for status, count in shown:
        width = room * count / total
        parts.append(Part(status, count, round(at, 1), 0, round(width, 1), _BAR_HEIGHT))
        at += width + _BAR_GAP
    return StatusBar(tuple(parts), listed, total)


def make_column_chart(rows: Sequence[tuple[str, Mapping[str, int]]]) -> ColumnChart:
    """Chart of a column for each row: its label, and the counts of some of the four statuses. Columns show shares."""
    room = (_RIGHT - _LEFT) / max(len(rows), 1)
    width = min(34.0, room * 0.7)
    columns = []
    for number, (text, counts) in enumerate(rows):
        listed = _list_counts(counts)
        total = sum(count for _status, count in listed)
        left, at, parts = _LEFT + room * number + (room - width) / 2, _BOTTOM, []
        for status, count in listed:
            if count:
                height = (_BOTTOM - _TOP) * count / total
                at -= height
                parts.append(Part(status, count, round(left, 1), round(at, 1), round(width, 1), round(height, 1)))
        columns.append(
            Column(text, round(left + width / 2, 1), tuple(parts), listed, total, _is_labelled(number, len(rows)))
        )
    return ColumnChart(_make_ticks(100, "%"), tuple(columns))


def make_line_chart(rows: Sequence[tuple[str, float]], *, unit: str = "", top: float | None = None) -> LineChart:
    """Chart of one line: a label and a value for each point. `top` is the end of the axis, else the largest value."""
    highest = top if top is not None else _round_up(max((value for _text, value in rows), default=1))
    step = (_RIGHT - _LEFT - 20) / max(len(rows) - 1, 1)
    points = tuple(
        Point(
            text,
            round(_LEFT + 10 + step * number, 1),
            round(_BOTTOM - (_BOTTOM - _TOP) * min(value, highest) / highest, 1),
            value,
            f"{value:g}{unit}",
            _is_labelled(number, len(rows)),
        )
        for number, (text, value) in enumerate(rows)
    )
    path = " ".join(f"{'L' if number else 'M'}{point.x} {point.y}" for number, point in enumerate(points))
    return LineChart(_make_ticks(highest, unit), points, path)


def _list_counts(counts: Mapping[str, int]) -> tuple[tuple[Status, int], ...]:
    return tuple((status, counts[status.style]) for status in _ORDER if status.style in counts)


def _make_ticks(highest: float, unit: str) -> tuple[Tick, ...]:
    quarters = [number / 4 for number in range(5)]
    return tuple(Tick(round(_BOTTOM - (_BOTTOM - _TOP) * share, 1), f"{highest * share:g}{unit}") for share in quarters)


def _is_labelled(number: int, count: int) -> bool:
    """Whether a point has its label at the axis: 8 fit, and the last one always has it."""
    every = -(-count // 8)
    return (count - 1 - number) % every == 0


def _round_up(value: float) -> float:
    """End of an axis for a largest value: 1, 2, 4 or 8 times a power of ten, so that quarters are short numbers."""
    size = 1.0
    while size * 10 < value:
        size *= 10
    return next(size * factor for factor in (1, 2, 4, 8, 10) if size * factor >= value)
