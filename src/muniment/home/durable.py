"""Writing files so that they are there whole or not at all, also after a power cut."""

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from muniment.errors import HomeError

NEW = ".new-"  # how the name of a file begins that is still being written


def write(file: Path, data: bytes, mode: int) -> None:
    """Write one file. Raises HomeError."""
    write_all({file: data}, mode)


def write_all(files: Mapping[Path, bytes], mode: int) -> None:
    """Write files; all of them and their names are on the disk when this returns. Raises HomeError.

    If it raises, any of them may be there, each of them whole.
    """
    at = None
    try:
        folders = {file.parent: None for file in files}
        for folder in folders:
            make_folder(folder)
        for file, data in files.items():
            at = file
            _write(file, data, mode)
        for folder in folders:
            sync(folder)
    except OSError as error:
        raise HomeError(
            f"{at or next(iter(files))} cannot be written ({error.strerror})",
            "Free some space, or make the directory writable.",
        ) from error


def make_folder(folder: Path) -> None:
    """A folder is only as durable as its name in the folder above. Raises OSError."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        sync(folder.parent)


def sync(folder: Path) -> None:
    """The names in a folder are on the disk when this returns. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write(file: Path, data: bytes, mode: int) -> None:
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=NEW)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fchmod(handle, mode)
            os.fsync(handle)
        os.rename(name, file)
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise
