"""The home of this installation, as every part of the service finds it."""

from pathlib import Path

from django.conf import settings

from muniment.server.record.home import PostgresHome


def home() -> PostgresHome:
    """The home in PostgreSQL, with its folder of keys."""
    return PostgresHome(Path(settings.HOME))
