"""Due dates of a product's meetings: numbered, so that the same meeting is never made twice.

On a fixed calendar a due date depends on its number alone, so being late moves no other one. Counted from the last
meeting, only the next due date is known. The first is due within 30 days.
"""

import calendar
import datetime
from collections.abc import Iterator, Mapping
from enum import StrEnum

from msgspec import Struct

from muniment.errors import ParseError

FIRST_DAYS = 30
_SHORTEST_GAP = 4  # the second meeting comes no sooner than a quarter of the period after the first


class Counting(StrEnum):
    """How the next due date follows."""

    FIXED = "fixed"
    FROM_LAST = "from-last"  # months after the last meeting held


class Rhythm(Struct, frozen=True):
    """Rhythm of one kind of meeting of one product, since it became active.

    Meeting `first_number` is due on `first_due`, the next on `second_due`, and then one every `months`.
    """

    first_due: datetime.date
    second_due: datetime.date
    months: int
    counting: Counting = Counting.FIXED
    first_number: int = 1


class Due(Struct, frozen=True, order=True):
    """Due date of the meeting with a number."""

    date: datetime.date
    number: int


def add_months(day: datetime.date, months: int) -> datetime.date:
    """Add months; where the month is too short, its last day: 31 January and one month is 28 or 29 February."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return datetime.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def week_of(day: datetime.date) -> datetime.date:
    """Monday of the week of a day."""
    return day - datetime.timedelta(day.weekday())


def list_due_dates(rhythm: Rhythm, until: datetime.date, held: Mapping[int, datetime.date]) -> Iterator[Due]:
    """List due dates up to a day, oldest first. `held` gives the day of each number held."""
    number, due = rhythm.first_number, rhythm.first_due
    while due <= until:
        yield Due(due, number)
        number += 1
        if rhythm.counting is Counting.FIXED:
            due = add_months(rhythm.second_due, rhythm.months * (number - rhythm.first_number - 1))
        elif number - 1 in held:
            due = add_months(held[number - 1], rhythm.months)
        else:
            return


def start_rhythm(
    active_since: datetime.date,
    months: int,
    load: Mapping[datetime.date, int],
    *,
    counting: Counting = Counting.FIXED,
    first_number: int = 1,
) -> Rhythm:
    """Start a rhythm in the least loaded weeks. `load` counts due dates by the Monday of their week.

    The first falls within 30 days, the second between a quarter and the whole of the period later: so products that are
    connected together spread over all weeks. Raises ParseError for fewer than one month.
    """
    if months < 1:
        raise ParseError("months", f"{months} is no number of months", "Write 1 or more.", "months")
    first = _least_loaded(active_since + datetime.timedelta(7), active_since + datetime.timedelta(FIRST_DAYS), load)
    longest = add_months(first, months)
    shortest = first + (longest - first) / _SHORTEST_GAP
    return Rhythm(first, _least_loaded(shortest, longest, load), months, counting, first_number)


def count_load(rhythms: Mapping[str, Rhythm], since: datetime.date) -> dict[datetime.date, int]:
    """Count due dates by week (its Monday) over the year that begins on a day."""
    load: dict[datetime.date, int] = {}
    for rhythm in rhythms.values():
        add_load(load, rhythm, since)
    return load


def add_load(load: dict[datetime.date, int], rhythm: Rhythm, since: datetime.date) -> None:
    """Add the due dates of a rhythm, on its fixed calendar, over the year that begins on a day."""
    first = rhythm.second_due
    gone = (since.year - first.year) * 12 + since.month - first.month
    step = max(0, gone // rhythm.months)
    turns = range(step, step + 12 // rhythm.months + 2)
    for day in (rhythm.first_due, *(add_months(first, rhythm.months * turn) for turn in turns)):
        if since <= day <= add_months(since, 12):
            week = week_of(day)
            load[week] = load.get(week, 0) + 1


def _least_loaded(earliest: datetime.date, latest: datetime.date, load: Mapping[datetime.date, int]) -> datetime.date:
    """Friday of the least loaded whole week between two days, the latest of equal ones; without one, the latest day."""
    friday = week_of(latest) + datetime.timedelta(4)
    fridays = [friday - datetime.timedelta(7 * back) for back in range((latest - earliest).days // 7 + 2)]
    within = [day for day in fridays if earliest <= day <= latest]
    return min(within, key=lambda day: load.get(week_of(day), 0), default=latest)
