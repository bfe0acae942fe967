"""The store of this installation, as every part of the service finds it."""

from pathlib import Path

from django.conf import settings

from muniment.facts.people import People
from muniment.server.records.store import PostgresStore


def store() -> PostgresStore:
    """The store in PostgreSQL, with its folder of keys."""
    return PostgresStore(Path(settings.HOME), _people)


def _people() -> People:
    from muniment.server.people.people_facts import people_of  # a higher layer, which records what it does here

    return people_of()
