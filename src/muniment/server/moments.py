"""Moments as the core writes them: RFC 3339, UTC, with microseconds."""

import datetime

from django.utils import timezone

from muniment.facts import moments

MOST_SKEW = datetime.timedelta(minutes=2)  # of the clocks of two machines


def now() -> str:
    """This moment, read once by whoever judges or records."""
    return text(timezone.now())


def read(moment: str) -> datetime.datetime:
    """A moment of the core, for the database. Raises ValueError."""
    return datetime.datetime.fromisoformat(moment)


def text(moment: datetime.datetime) -> str:
    """A moment of the database."""
    return moments.text(moment.astimezone(datetime.UTC))
