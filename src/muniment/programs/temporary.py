"""Temporary folders that do not outlive their process: the next start removes those of one that was killed.

The owner holds a lock (flock) on its folder as long as it lives; the kernel gives it up whatever ends the process, in
any container. A process id would not do: another one may have it by then, or the same folder be seen from elsewhere.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from types import TracebackType

PREFIX = "muniment-work-"


class TemporaryFolder:
    """A folder that only we can read, below the one for temporary files; `path` is absolute."""

    def __init__(self) -> None:
        self.path, self._handle = _make_locked()

    def remove(self) -> None:
        """Remove it with all that is in it. A second time does nothing."""
        shutil.rmtree(self.path, ignore_errors=True)
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)

    def __enter__(self) -> str:
        return self.path

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.remove()


def remove_abandoned_folders() -> int:
    """Remove the folders of our account whose process has ended; how many. Those that cannot be looked at stay."""
    found = 0
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in [one for one in entries if one.name.startswith(PREFIX)]:
            with contextlib.suppress(OSError):
                found += _remove_if_abandoned(entry.path)
    return found


def _make_locked() -> tuple[str, int]:
    """A new folder, and the handle that holds its lock."""
    while True:
        path = tempfile.mkdtemp(prefix=PREFIX)
        try:
            handle = _open(path)
        except FileNotFoundError:  # removed as abandoned before it was opened
            continue
        with contextlib.suppress(OSError):  # a file system without locks: then nobody can remove it as abandoned
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.path.isdir(path):
            return path, handle
        os.close(handle)  # removed as abandoned before it was locked


def _remove_if_abandoned(path: str) -> bool:
    handle = _open(path)
    try:
        if os.fstat(handle).st_uid != os.geteuid():
            return False
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: its process lives
        shutil.rmtree(path, ignore_errors=True)
        return True
    finally:
        os.close(handle)


def _open(path: str) -> int:
    """A handle on a folder, never on what a link leads to. Raises OSError."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
