"""The home that --home names: in files, or that of the service, in its database."""

import os
from pathlib import Path

from muniment.cli import serving
from muniment.home.files import FilesHome
from muniment.home.home import LedgerHome


def is_service(directory: str) -> bool:
    """Whether it is the home of a service."""
    return (Path(directory) / serving.STATE).is_file()


def at(directory: str) -> LedgerHome:
    """The home there. That of a service is read through its database, which has to run.

    Raises UsageError for none, DatabaseError if it cannot be reached.
    """
    if not is_service(directory):
        return FilesHome(directory)
    folder = Path(directory).absolute()
    serving.begin(folder, "worker", os.environ.get("MUNIMENT_URL", "http://localhost:8000"))
    from muniment.server.record.home import PostgresHome
    from muniment.server.running.preparing import reachable

    reachable()
    return PostgresHome(folder)
