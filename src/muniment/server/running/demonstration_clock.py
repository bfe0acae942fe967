"""Moves the clock of this process, so that the past of a demonstration is recorded with its own moments.

Only `muniment demo` does so, in a home that is marked as a demonstration. All code of the server reads the clock by
Django's `timezone.now`, which reads the name replaced here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from typing import Any

from django.utils import timezone


class _ClockType(type):
    """Type whose instances are all moments: code that compares types does not notice the clock."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, datetime)


class MovedClock(datetime, metaclass=_ClockType):
    """Clock in place of `datetime`: its `now` is away from the real one by `distance`."""

    distance = timedelta(0)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        return datetime.now(tz) + cls.distance


@contextmanager
def replace_clock() -> Iterator[type[MovedClock]]:
    """Let this block move the clock, by `move_clock`."""
    before = vars(timezone)["datetime"]
    vars(timezone)["datetime"] = MovedClock
    try:
        yield MovedClock
    finally:
        vars(timezone)["datetime"], MovedClock.distance = before, timedelta(0)


def move_clock(moment: datetime) -> None:
    """Have it be `moment` now, within `replace_clock`. The clock goes on from there."""
    MovedClock.distance = moment - datetime.now(moment.tzinfo)
