"""Writes files durably: whole or not at all, also after a power cut."""

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from muniment.errors import StoreError

_AT_ONCE = 8  # threads that wait for the disk
_MOST_OPEN = 64  # files

_PRIVATE = 0o700  # of folders

UNFINISHED_PREFIX = ".new-"  # how the name of a file begins that is still being written


def write_file(file: Path, data: bytes, mode: int) -> None:
    """Write one file durably. Raises StoreError."""
    write_files({file: data}, mode)


class NewFile(Struct, frozen=True):
    """A file to write. `begin_in`: the folder, of the same file system, where it lies until it is whole.

    `folder_mode` is that of the folders that have to be made.
    """

    file: Path
    data: bytes
    mode: int
    begin_in: Path
    folder_mode: int = _PRIVATE


def write_files(files: Mapping[Path, bytes], mode: int, begin_in: Path | None = None) -> None:
    """Write files; all of them and their names are on the disk when this returns. Raises StoreError.

    If it raises, any of them may be there, each of them whole. Without `begin_in` each begins in its own folder;
    `remove_unfinished` has to look there alone.
    """
    write_in_steps([NewFile(file, data, mode, begin_in or file.parent) for file, data in files.items()])


def write_in_steps(*steps: Sequence[NewFile]) -> None:
    """Write files as by `write_files`. Those of a step get their names when all of the steps before are on the disk.

    The content of files of several steps is synced together: everybody who pushes waits for each sync.
    """
    left = [(new, number > 0 and at == 0) for number, step in enumerate(steps) for at, new in enumerate(step)]
    at = left[0][0].file if left else None
    unsynced: dict[Path, None] = {}  # folders with names that may not be on the disk
    try:
        try:
            for folder, mode in {new.file.parent: new.folder_mode for new, _ in left}.items():
                _add_folder(folder, mode, unsynced)
            while left:
                some, left = left[:_MOST_OPEN], left[_MOST_OPEN:]
                at = some[0][0].file
                _write_batch(some, unsynced)
        finally:  # who tries again finds the folders that were made, and would sync none of their names
            _sync_folders(unsynced)
    except OSError as error:
        raise StoreError(
            f"{error.filename2 or at} cannot be written ({error.strerror})",
            "Free some space, or make the directory writable.",
        ) from error


def _add_folder(folder: Path, mode: int, unsynced: dict[Path, None]) -> None:
    """Make a folder, and note the folder that got its name. Raises OSError."""
    if not folder.is_dir():
        _add_folder(folder.parent, mode, unsynced)
        folder.mkdir(mode=mode, exist_ok=True)
        unsynced[folder.parent] = None


def make_folder(folder: Path, mode: int = _PRIVATE) -> None:
    """Make a folder durably: with its name in the folder above. Raises OSError."""
    unsynced: dict[Path, None] = {}
    try:
        _add_folder(folder, mode, unsynced)
    finally:
        _sync_folders(unsynced)


def sync_folder(folder: Path) -> None:
    """The names in a folder are on the disk when this returns. Raises OSError."""
    _sync_folders([folder])


def _sync_folders(folders: Iterable[Path]) -> None:
    handles: list[int] = []
    try:
        for folder in folders:
            handles.append(os.open(folder, os.O_RDONLY | os.O_DIRECTORY))
            if len(handles) == _MOST_OPEN:
                _sync_handles(handles)
                while handles:
                    os.close(handles.pop())
        _sync_handles(handles)
    finally:
        for handle in handles:
            os.close(handle)


def _sync_handles(handles: Sequence[int]) -> None:
    """Sync open files all at once: a file system writes its journal once for all that wait. Raises OSError."""
    failures: list[OSError] = []

    def sync_some(some: Sequence[int]) -> None:
        try:
            for handle in some:
                os.fsync(handle)
        except OSError as error:
            failures.append(error)

    own, *others = [handles[at::_AT_ONCE] for at in range(_AT_ONCE)]
    threads: list[threading.Thread] = []
    for some in filter(None, others):
        thread = threading.Thread(target=sync_some, args=(some,))
        try:
            thread.start()
            threads.append(thread)
        except RuntimeError:  # there is no thread to be had: it only takes longer
            sync_some(some)
    sync_some(own)
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def remove_unfinished(folders: Iterable[Path]) -> None:
    """Delete the files that a process which no longer lives was writing in these folders. Raises OSError.

    A writer locks its file, and the kernel frees the lock at the writer's end.
    """
    for folder in folders:
        names = os.listdir(folder) if folder.is_dir() else ()
        for name in names:
            if name.startswith(UNFINISHED_PREFIX):
                with contextlib.suppress(FileNotFoundError):  # another process was faster
                    _remove_if_unlocked(folder / name)


def _remove_if_unlocked(file: Path) -> None:
    handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        # Whoever writes it holds the lock. One that nobody holds was left by a process that died.
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.unlink()
    except BlockingIOError:
        pass  # it is being written
    finally:
        os.close(handle)


def _begin_file(folder: Path) -> tuple[int, str]:
    """A new file with our lock. It may be deleted as unfinished until it is locked."""
    while True:
        handle, name = create_unfinished(folder)
        # Another process may remove it between its creation and our lock. Its links tell: then begin again.
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle, name
        os.close(handle)


def create_unfinished(folder: Path) -> tuple[int, str]:
    """A new file that only we may read, not locked yet.

    `tempfile` is not imported for it: see `programs.temporary_files`.
    """
    while True:
        name = os.path.join(folder, f"{UNFINISHED_PREFIX}{os.urandom(8).hex()}")
        with contextlib.suppress(FileExistsError):
            return os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), name


def _write_batch(files: Sequence[tuple[NewFile, bool]], unsynced: dict[Path, None]) -> None:
    """Write files, each of which gets its name once all are on the disk. Raises OSError, and leaves none unfinished.

    True with a file: all names before it have to be on the disk first. `unsynced` gets the folders that took names.
    """
    begun: list[tuple[int, str]] = []
    try:
        for new, _ in files:
            handle, name = _begin_file(new.begin_in)
            begun.append((handle, name))
            with open(handle, "wb", closefd=False) as stream:
                stream.write(new.data)
            os.fchmod(handle, new.mode)
        # Before any rename: a name that is on the disk before its content would show an empty file after a power cut.
        _sync_handles([handle for handle, _ in begun])
        for (new, is_later), (_, name) in zip(files, begun, strict=True):
            if is_later:
                _sync_folders(unsynced)
                unsynced.clear()
            os.rename(name, new.file)  # while the lock is held
            unsynced[new.file.parent] = None
    except OSError:
        for _, name in begun:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
        raise
    finally:
        for handle, _ in begun:
            os.close(handle)
