"""The store of this installation, as every part of the service finds it."""

from collections.abc import Callable
from pathlib import Path

from django.conf import settings

from muniment.facts.people import People
from muniment.server.records.store import PostgresStore

_people_sources: list[Callable[[], People]] = []  # one at most: the app that knows people is a higher layer


def store() -> PostgresStore:
    """The store in PostgreSQL, with its folder of keys."""
    return PostgresStore(Path(settings.HOME), _read_people)


def register_people_source(read_people: Callable[[], People]) -> None:
    """Have the store read the people of the organisation by `read_people`."""
    _people_sources[:] = [read_people]


def _read_people() -> People:
    """The people of the organisation. Raises LookupError in a process that has no app for them."""
    if not _people_sources:
        raise LookupError("this process has no app that knows people")
    return _people_sources[0]()
