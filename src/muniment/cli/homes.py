"""The home that --home names: in files, or that of the service, in its database."""

import os
from pathlib import Path

from muniment.cli import serving
from muniment.store.files import FilesStore
from muniment.store.store import Store

_OF_A_SERVICE = (serving.STATE, "database.json", "keys/web.key")  # names in its home: hooks import nothing of it


def is_service(directory: str) -> bool:
    """Whether it is the home of a service: one that was started, or the keys of one on another machine."""
    try:
        return any((Path(directory) / name).is_file() for name in _OF_A_SERVICE)
    except OSError:  # such as a name that is too long: whoever opens it says so
        return False


def at(directory: str, role: str = "operator") -> Store:
    """The home there. That of a service is read through its database, which has to run, as `role`.

    Raises UsageError for none, DatabaseError if it cannot be reached.
    """
    if not is_service(directory):
        return FilesStore(directory)
    folder = Path(directory).absolute()
    serving.begin(folder, role, os.environ.get("MUNIMENT_URL", "http://localhost:8000"))
    from muniment.server.records.installation import store
    from muniment.server.running.preparing import require_ready

    require_ready()
    return store()
