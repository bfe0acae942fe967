"""The home that --home names: in files, or that of the service, in its database."""

import os
from pathlib import Path

from muniment.cli import service_setup
from muniment.store.files_store import FilesStore
from muniment.store.store import Store

_SERVICE_FILES = (
    service_setup.STATE_FILE,
    "database.json",
    "keys/web.key",
)  # names in its home: hooks import nothing of it


def is_service(directory: str) -> bool:
    """Whether a folder is the home of a service: of one that was started, or the keys of one on another machine."""
    try:
        return any((Path(directory) / name).is_file() for name in _SERVICE_FILES)
    except OSError:  # such as a name that is too long: whoever opens it says so
        return False


def open_store(directory: str, role: str = "operator") -> Store:
    """Open the home in a folder. That of a service is read through its database, which has to run, as `role`.

    Raises UsageError for none, DatabaseError if it cannot be reached.
    """
    if not is_service(directory):
        return FilesStore(directory)
    folder = Path(directory).absolute()
    service_setup.set_up_process(folder, role, os.environ.get("MUNIMENT_URL", "http://localhost:8000"))
    from muniment.server.records.installation import open_store
    from muniment.server.running.preparation import require_ready

    require_ready()
    return open_store()
