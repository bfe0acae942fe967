"""A moment is text that sorts: RFC 3339 in UTC with microseconds, `2026-11-24T09:30:00.000000Z`."""

import datetime


def text(moment: datetime.datetime) -> str:
    """A moment with a time zone as text. Raises ValueError for one without."""
    if moment.tzinfo is None:
        raise ValueError("a moment needs its time zone")
    return moment.astimezone(datetime.UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def parse(moment: str) -> datetime.datetime:
    """The moment that a text in this very form names. Raises ValueError for any other form."""
    parsed = datetime.datetime.fromisoformat(moment)
    if parsed.tzinfo is None or text(parsed) != moment:
        raise ValueError(f"{moment!r} is not a moment like 2026-11-24T09:30:00.000000Z")
    return parsed


def later(moment: str, *, days: int = 0, minutes: int = 0, seconds: int = 0) -> str:
    """The moment so much later."""
    return text(parse(moment) + datetime.timedelta(days=days, minutes=minutes, seconds=seconds))


def day(moment: str) -> datetime.date:
    """The day of a moment, in UTC."""
    return parse(moment).date()
