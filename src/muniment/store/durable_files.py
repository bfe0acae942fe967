"""Writes files durably: whole or not at all, also after a power cut."""

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from muniment.errors import StoreError

_AT_ONCE = 8  # threads that wait for the disk
_MOST_OPEN = 64  # files

_PRIVATE = 0o700  # of folders

UNFINISHED_PREFIX = ".new-"  # how the name of a file begins that is still being written


def write_file(file: Path, data: bytes, mode: int) -> None:
    """Write one file durably. Raises StoreError."""
    write_files({file: data}, mode)


def write_files(
    files: Mapping[Path, bytes], mode: int, begin_in: Path | None = None, *, folder_mode: int = _PRIVATE
) -> None:
    """Write files; all of them and their names are on the disk when this returns. Raises StoreError.

    If it raises, any of them may be there, each of them whole. `begin_in` is the folder, of the same file system, where
    files lie until they are whole; each one's own without it. `remove_unfinished` has to look there alone.
    `folder_mode` is that of the folders that have to be made.
    """
    folders = list({file.parent: None for file in files})
    at = next(iter(files), None)
    try:
        _make_folders(folders, folder_mode)
        left = list(files.items())
        while left:
            some, left = left[:_MOST_OPEN], left[_MOST_OPEN:]
            at = some[0][0]
            _write_batch(dict(some), mode, begin_in)
        _sync_folders(folders)
    except OSError as error:
        raise StoreError(
            f"{error.filename2 or at} cannot be written ({error.strerror})",
            "Free some space, or make the directory writable.",
        ) from error


def _make_folders(folders: Iterable[Path], mode: int) -> None:
    """Make folders, and sync each folder that got names once, however many. Raises OSError."""
    grown: dict[Path, None] = {}
    try:
        for folder in folders:
            if not folder.is_dir():
                make_folder(folder.parent, mode)
                folder.mkdir(mode=mode, exist_ok=True)
                grown[folder.parent] = None
    finally:  # who tries again finds the folders that were made, and would sync none of their names
        _sync_folders(grown)


def make_folder(folder: Path, mode: int = _PRIVATE) -> None:
    """Make a folder durably: with its name in the folder above. Raises OSError."""
    if not folder.is_dir():
        make_folder(folder.parent, mode)
        folder.mkdir(mode=mode, exist_ok=True)
        sync_folder(folder.parent)


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


def _write_batch(files: Mapping[Path, bytes], mode: int, begin_in: Path | None) -> None:
    """Write files, each of which gets its name once all are on the disk. Raises OSError, and leaves none unfinished."""
    begun: list[tuple[int, str]] = []
    try:
        for file, data in files.items():
            handle, name = _begin_file(begin_in or file.parent)
            begun.append((handle, name))
            with open(handle, "wb", closefd=False) as stream:
                stream.write(data)
            os.fchmod(handle, mode)
        _sync_handles([handle for handle, _ in begun])
        for file, (_, name) in zip(files, begun, strict=True):
            os.rename(name, file)  # while the lock is held
    except OSError:
        for _, name in begun:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
        raise
    finally:
        for handle, _ in begun:
            os.close(handle)
