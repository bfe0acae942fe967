"""Store of this installation, for every part of the service."""

from collections.abc import Callable
from pathlib import Path

from django.conf import settings

from muniment.facts.people import People
from muniment.server.records.postgres_store import PostgresStore

_people_sources: list[Callable[[], People]] = []  # one at most: the app that knows people is a higher layer


def open_store() -> PostgresStore:
    """Store in PostgreSQL, with its folder of keys."""
    return PostgresStore(Path(settings.HOME), _load_people)


def register_people_source(read_people: Callable[[], People]) -> None:
    """Have the store read the people of the organisation by `read_people`."""
    _people_sources[:] = [read_people]


def _load_people() -> People:
    """People of the organisation. Raises LookupError in a process without an app for them."""
    if not _people_sources:
        raise LookupError("this process has no app that knows people")
    return _people_sources[0]()
