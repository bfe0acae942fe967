"""Moments as the core writes them: RFC 3339, UTC, with microseconds."""

import datetime

from django.utils import timezone

from muniment.facts import moments

MOST_SKEW = datetime.timedelta(minutes=2)  # of the clocks of two machines


def current_moment() -> str:
    """Current moment, read once for each evaluation or record."""
    return format_moment(timezone.now())


def parse_moment(moment: str) -> datetime.datetime:
    """Moment of the core, for the database. Raises ValueError."""
    return datetime.datetime.fromisoformat(moment)


def format_moment(moment: datetime.datetime) -> str:
    """Moment of the database, in the core's format."""
    return moments.format_moment(moment.astimezone(datetime.UTC))
