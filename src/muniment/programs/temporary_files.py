"""Temporary folders that do not outlive their process: the next start removes those of one that was killed.

The owner holds a lock (flock) on its folder as long as it lives; the kernel gives it up whatever ends the process, in
any container. A process id would not do: another one may have it by then, or the same folder be seen from elsewhere.
"""

import contextlib
import fcntl
import os
from types import TracebackType
from typing import IO

FOLDER_PREFIX = "muniment-work-"


# `tempfile` and `shutil` are imported only where these fail: they import each format of archives, and everybody who
# pushes would wait for that.


def open_temporary_file() -> IO[bytes]:
    """An empty file without a name, to be written and read: it is gone once it is closed."""
    try:
        handle = os.open(_temporary_folder(), os.O_TMPFILE | os.O_RDWR | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except (OSError, AttributeError):  # no such folder, or no such files (macOS, some file systems)
        import tempfile

        return tempfile.TemporaryFile()
    return open(handle, "w+b")


def _temporary_folder() -> str:
    """Folder for temporary files, as `tempfile` finds it if that folder can be written."""
    named = (os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    return os.path.abspath(next(filter(None, named), "/tmp"))  # noqa: S108 -- files in it get names of our own


class TemporaryFolder:
    """A folder that only we can read, below the one for temporary files; `path` is absolute."""

    def __init__(self) -> None:
        self.path, self._handle = _make_locked_folder()

    def remove_folder(self) -> None:
        """Remove the folder with all its files. A second time does nothing."""
        _remove_tree(self.path)
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)

    def __enter__(self) -> str:
        return self.path

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.remove_folder()


def remove_abandoned_folders() -> int:
    """Remove the folders of our account whose process has ended; how many. Folders that cannot be opened stay."""
    import tempfile

    return sum(map(_remove_abandoned, {tempfile.gettempdir(), _temporary_folder()}))


def _remove_abandoned(folder: str) -> int:
    found = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in [one for one in entries if one.name.startswith(FOLDER_PREFIX)]:
            with contextlib.suppress(OSError):
                found += _remove_if_abandoned(entry.path)
    return found


def _make_locked_folder() -> tuple[str, int]:
    """A new folder, and the handle that holds its lock."""
    while True:
        path = _make_folder()
        try:
            handle = _open_folder(path)
        except FileNotFoundError:  # removed as abandoned before it was opened
            continue
        with contextlib.suppress(OSError):  # a file system without locks: then nobody can remove it as abandoned
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.path.isdir(path):
            return path, handle
        os.close(handle)  # removed as abandoned before it was locked


def _make_folder() -> str:
    while True:
        path = os.path.join(_temporary_folder(), f"{FOLDER_PREFIX}{os.urandom(8).hex()}")
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            continue
        except OSError:
            import tempfile

            return os.path.abspath(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
        return path


def _remove_tree(path: str) -> None:
    """Remove a folder of ours with its files, never the target of a link. Files that cannot be removed stay."""
    with contextlib.suppress(OSError):  # it is gone already
        for _, folders, files, handle in os.fwalk(path, topdown=False):
            for name in files:
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=handle)
            for name in folders:
                with contextlib.suppress(OSError):
                    _remove_folder_or_link(name, handle)
        os.rmdir(path)


def _remove_folder_or_link(name: str, handle: int) -> None:
    """Remove an empty folder, or a link to one."""
    try:
        os.rmdir(name, dir_fd=handle)
    except NotADirectoryError:
        os.unlink(name, dir_fd=handle)


def _remove_if_abandoned(path: str) -> bool:
    handle = _open_folder(path)
    try:
        if os.fstat(handle).st_uid != os.geteuid():
            return False
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: its process lives
        _remove_tree(path)
        return True
    finally:
        os.close(handle)


def _open_folder(path: str) -> int:
    """A handle on a folder, never on the target of a link. Raises OSError."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
