"""Working days of a person's region: neither a public holiday there, nor a day of its weekend.

Source: the library `holidays`. A region that it does not know, or a year that it does not cover, is refused: without
it, every holiday there would count as a working day.
"""

import datetime
import functools

import holidays
from msgspec import Struct

from muniment.errors import ParseError


class Region(Struct, frozen=True):
    """Country by its ISO 3166-1 code, and a part of it by the second half of its ISO 3166-2 code, or ""."""

    country: str
    subdivision: str = ""


def parse_region(code: str) -> Region:
    """Parse a code such as `NL` or `DE-BY`. Raises ParseError if its holidays are not known."""
    country, _, subdivision = code.partition("-")
    known = holidays.list_supported_countries()
    if country not in known or (subdivision and subdivision not in known[country]):
        raise _region_error(code)
    return Region(country, subdivision)


@functools.lru_cache(maxsize=4096)
def list_days_off(region: Region, year: int) -> frozenset[datetime.date]:
    """Public holidays and weekends of a region in a year. Raises ParseError if they are not known."""
    try:
        calendar = holidays.country_holidays(region.country, region.subdivision or None, years=year, expand=False)
    except NotImplementedError:
        raise _region_error(f"{region.country}-{region.subdivision}".strip("-")) from None
    if not calendar.start_year <= year <= calendar.end_year:
        raise ParseError("year", f"the holidays of {year} in {region.country} are not known", "Choose another year.")
    first, last = datetime.date(year, 1, 1), datetime.date(year, 12, 31)
    days = (first + datetime.timedelta(each) for each in range((last - first).days + 1))
    return frozenset(day for day in days if day in calendar or calendar.is_weekend(day))


def is_working_day(region: Region, day: datetime.date) -> bool:
    """Whether people of a region work on a day. Raises ParseError if that is not known."""
    return day not in list_days_off(region, day.year)


def _region_error(code: str) -> ParseError:
    return ParseError(
        "region",
        f"the holidays of {code!r} are not known",
        "Write a country, such as NL, or a part of one, such as DE-BY.",
        "region",
    )
