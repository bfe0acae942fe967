"""Copies installed programs, for an account that cannot enter the folder in which they are installed.

The name of a copy is the digest of its files. Nobody but the account that made it can change it, and it is compared
with its name before each use: a swapped or incomplete copy is replaced, never started.
"""

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

_FOLDER, _FILE, _PROGRAM = 0o755, 0o644, 0o755
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def list_program_files(source: Path, parts: Iterable[str]) -> list[str]:
    """Names, relative to `source`, of all files of `parts`: files or folders of `source`. Raises OSError."""
    found: list[str] = []
    for part in parts:
        at = source / part
        files = (
            [at] if at.is_file() else [Path(folder) / name for folder, _, names in _walk_or_raise(at) for name in names]
        )
        found += [str(file.relative_to(source)) for file in files]
    return sorted(found)


def ensure_program_copy(source: Path, parts: Iterable[str], copies: Path) -> Path:
    """Folder below `copies` that has exactly the `parts` of `source`; older copies are removed. Raises OSError.

    One process at a time may call it for the same `copies`.
    """
    files = list_program_files(source, parts)
    copy = copies / _compute_digest(source, files)
    _make_folder(copies)
    if not _is_intact(copy):
        _remove_path(copy)
        _make_copy(source, files, copy)
        if not _is_intact(copy):  # the installed programs changed while they were read, or somebody else can write here
            raise OSError(None, "the copy is not what was copied", str(copy))
    for other in copies.iterdir():
        if other != copy:
            _remove_path(other)
    return copy


def remove_copies(copies: Path) -> None:
    """Remove all copies, which are not needed any more. Raises OSError."""
    if copies.is_symlink() or copies.exists():
        _remove_path(copies)


def _make_copy(source: Path, files: Iterable[str], copy: Path) -> None:
    """Make the copy, which gets its name once it is complete. A power cut may still lose a part: the next start
    sees that.
    """
    new = Path(tempfile.mkdtemp(prefix=".new-", dir=copy.parent))
    try:
        for name in files:
            target = new / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target)
            target.chmod(_PROGRAM if _is_executable(source / name) else _FILE)
        for folder, _, _ in _walk_or_raise(new):
            os.chmod(folder, _FOLDER)  # whatever the umask is
        new.rename(copy)
    except OSError:
        _remove_path(new)
        raise


def _is_intact(copy: Path) -> bool:
    """Whether the files are those that its name says, and nobody but this account can have changed them since."""
    try:
        names: list[str] = []
        for folder, folders, files in _walk_or_raise(copy):
            for path in (Path(folder), *(Path(folder) / name for name in (*folders, *files))):
                found = path.lstat()
                expected = stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
                if not expected or found.st_uid != os.geteuid() or found.st_mode & _WRITABLE_BY_OTHERS:
                    return False
            names += [str((Path(folder) / name).relative_to(copy)) for name in files]
        return bool(names) and _compute_digest(copy, sorted(names)) == copy.name
    except OSError:
        return False  # it is made again


def _make_folder(copies: Path) -> None:
    """Make the folder. Raises OSError for one that another account made, or can write to."""
    copies.mkdir(mode=_FOLDER, parents=True, exist_ok=True)
    found = copies.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(None, "it belongs to another account, or is no folder: remove it", str(copies))
    copies.chmod(_FOLDER)  # whatever the umask is


def _compute_digest(folder: Path, files: Iterable[str]) -> str:
    """SHA-256, in hex, over name, executable bit and content of each of the files."""
    whole = hashlib.sha256()
    for name in files:
        with (folder / name).open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        whole.update(f"{content} {int(_is_executable(folder / name))} {name}\0".encode(errors="surrogateescape"))
    return whole.hexdigest()


def _is_executable(file: Path) -> bool:
    return bool(file.stat().st_mode & stat.S_IXUSR)


def _walk_or_raise(folder: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Walk as os.walk, but raise OSError where it would leave out what it cannot read."""

    def raise_error(error: OSError) -> None:
        raise error

    return os.walk(folder, onerror=raise_error)


def _remove_path(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
