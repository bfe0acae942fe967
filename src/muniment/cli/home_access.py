"""The home that --home names: in files, or that of the service, in its database."""

import os
import shlex
from pathlib import Path

from muniment.cli import service_setup
from muniment.errors import UsageError
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


def open_files_home(directory: str) -> FilesStore:
    """Open a home that is files: of a service, these files say nothing of its policy and people. Raises UsageError."""
    if is_service(directory):
        raise UsageError(
            f"{directory} is the home of a service, which evaluates and records by itself",
            "Use its pages: the status of a change at the forge leads there, and the page Policy to freezes and "
            f"exceptions. To see the policy in force: muniment policy show --home {shlex.quote(directory)}",
        )
    return FilesStore(directory)


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
