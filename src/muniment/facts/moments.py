"""A moment is text that sorts: RFC 3339 in UTC with microseconds, `2026-11-24T09:30:00.000000Z`."""

import datetime

from muniment.errors import ParseError


def text(moment: datetime.datetime) -> str:
    """A moment with a time zone as text. Raises ValueError for one without."""
    if moment.tzinfo is None:
        raise ValueError("a moment needs its time zone")
    at = moment if moment.tzinfo is datetime.UTC else moment.astimezone(datetime.UTC)
    return at.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def parse(moment: str) -> datetime.datetime:
    """The moment that a text in this very form names. Raises ParseError for any other form."""
    try:
        parsed = datetime.datetime.fromisoformat(moment)
    except ValueError:
        raise _wrong_moment(moment) from None
    if parsed.tzinfo is None or text(parsed) != moment:
        raise _wrong_moment(moment)
    return parsed


def later(moment: str, *, days: int = 0, minutes: int = 0, seconds: int = 0) -> str:
    """The moment so much later."""
    return text(parse(moment) + datetime.timedelta(days=days, minutes=minutes, seconds=seconds))


def day(moment: str) -> datetime.date:
    """The day of a moment, in UTC."""
    return parse(moment).date()


def _wrong_moment(moment: str) -> ParseError:
    return ParseError("moment", f"{moment!r} is not a moment", "Write it like 2026-11-24T09:30:00.000000Z, in UTC.")
