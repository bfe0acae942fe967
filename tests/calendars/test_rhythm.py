"""Due dates: fixed by their number, spread over weeks, the first within 30 days."""

import datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muniment.calendars.rhythm import (
    Counting,
    Due,
    Rhythm,
    add_load,
    add_months,
    count_load,
    list_due_dates,
    start_rhythm,
    week_of,
)
from muniment.errors import ParseError

DAYS = st.dates(datetime.date(2024, 1, 1), datetime.date(2032, 12, 31))
START = datetime.date(2026, 1, 5)


@pytest.mark.parametrize(
    ("day", "months", "sum_"),
    [
        ("2027-11-30", 3, "2028-02-29"),
        ("2026-11-30", 3, "2027-02-28"),
        ("2028-02-29", 12, "2029-02-28"),
        ("2026-12-31", 1, "2027-01-31"),
        ("2026-08-31", 6, "2027-02-28"),
    ],
)
def test_months_end_on_the_last_day_of_short_ones(day: str, months: int, sum_: str) -> None:
    assert str(add_months(datetime.date.fromisoformat(day), months)) == sum_


def test_a_due_date_at_a_months_end_does_not_drift() -> None:
    rhythm = Rhythm(datetime.date(2026, 8, 31), datetime.date(2026, 11, 30), 3)
    dues = list(list_due_dates(rhythm, datetime.date(2028, 12, 31), {}))
    assert [str(due.date)[5:] for due in dues[1:6]] == ["11-30", "02-28", "05-30", "08-30", "11-30"]


@given(DAYS, st.integers(1, 12), st.dictionaries(st.integers(1, 20), DAYS))
def test_on_a_fixed_calendar_being_late_moves_nothing(
    since: datetime.date, months: int, held: dict[int, datetime.date]
) -> None:
    rhythm = start_rhythm(since, months, {})
    until = add_months(since, 36)
    assert list(list_due_dates(rhythm, until, held)) == list(list_due_dates(rhythm, until, {}))


@given(DAYS, st.integers(1, 12), st.integers(1, 9))
def test_every_period_has_one_due_date_and_the_first_comes_within_30_days(
    since: datetime.date, months: int, number: int
) -> None:
    rhythm = start_rhythm(since, months, {}, first_number=number)
    dues = list(list_due_dates(rhythm, add_months(since, 48), {}))
    assert datetime.timedelta(7) <= dues[0].date - since <= datetime.timedelta(30)
    assert [due.number for due in dues] == list(range(number, number + len(dues)))
    assert all(
        before.date < after.date <= add_months(before.date, months) + datetime.timedelta(3)
        for before, after in pairwise(dues)
    )


def test_counted_from_the_last_one_the_next_waits_for_it() -> None:
    rhythm = Rhythm(START, START, 3, Counting.FROM_LAST)
    late = START + datetime.timedelta(40)
    until = add_months(START, 24)
    assert list(list_due_dates(rhythm, until, {})) == [Due(START, 1)]
    assert list(list_due_dates(rhythm, until, {1: late})) == [Due(START, 1), Due(add_months(late, 3), 2)]


def test_products_connected_on_one_day_spread_over_the_weeks() -> None:
    rhythms: dict[str, Rhythm] = {}
    growing: dict[datetime.date, int] = {}
    for product in range(200):
        rhythms[str(product)] = start_rhythm(START, 3, growing)
        add_load(growing, rhythms[str(product)], START)
    assert growing == count_load(rhythms, START)
    settled = START + datetime.timedelta(112)
    load = count_load(rhythms, settled)
    year = [load.get(week_of(settled) + datetime.timedelta(7 * week), 0) for week in range(1, 52)]
    assert max(year) <= 1.5 * sum(year) / len(year)


def test_a_rhythm_of_no_months_is_refused() -> None:
    with pytest.raises(ParseError, match="0 is no number of months"):
        start_rhythm(START, 0, {})
