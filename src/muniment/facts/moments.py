"""Moments as text that sorts: RFC 3339 in UTC with microseconds, `2026-11-24T09:30:00.000000Z`."""

import datetime

from muniment.errors import ParseError


def format_moment(moment: datetime.datetime) -> str:
    """Format a moment with a time zone as text. Raises ValueError for one without."""
    if moment.tzinfo is None:
        raise ValueError("a moment needs its time zone")
    at = moment if moment.tzinfo is datetime.UTC else moment.astimezone(datetime.UTC)
    return at.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def parse_moment(moment: str) -> datetime.datetime:
    """Parse a moment in this very form. Raises ParseError for any other form."""
    try:
        parsed = datetime.datetime.fromisoformat(moment)
    except ValueError:
        raise _moment_error(moment) from None
    if parsed.tzinfo is None or format_moment(parsed) != moment:
        raise _moment_error(moment)
    return parsed


def add_time(moment: str, *, days: int = 0, minutes: int = 0, seconds: int = 0) -> str:
    """Add days, minutes and seconds to a moment."""
    return format_moment(parse_moment(moment) + datetime.timedelta(days=days, minutes=minutes, seconds=seconds))


def utc_date(moment: str) -> datetime.date:
    """Day of a moment, in UTC."""
    return parse_moment(moment).date()


def _moment_error(moment: str) -> ParseError:
    return ParseError("moment", f"{moment!r} is not a moment", "Write it like 2026-11-24T09:30:00.000000Z, in UTC.")
