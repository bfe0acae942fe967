"""Throw-away data of the application: saved once, read before and after a call, and put back.

Each method may run in another process than `save` did: keep the copy in files or in the database server.
"""

import hashlib
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol


class State(Protocol):
    """Data and files of the application."""

    def save(self) -> None:
        """Keep a copy of everything."""

    def restore(self) -> None:
        """Put the copy back."""

    def read(self) -> Mapping[str, str]:
        """Digest of each table and file by its name. Leave out what a refused call may change."""


class SqliteState:
    """SQLite file, and folders of files.

    `ignore` names tables that a refused call may change, such as a log of refusals.
    """

    def __init__(self, path: str | Path, folders: Sequence[str | Path] = (), ignore: Sequence[str] = ()) -> None:
        self._path = Path(path)
        self._folders = [Path(folder) for folder in folders]
        self._ignore = frozenset(ignore)

    def save(self) -> None:
        """Copy the database and the folders next to them."""
        _copy_database(self._path, self._copy_of(self._path))
        for folder in self._folders:
            _copy_folder(folder, self._copy_of(folder))

    def restore(self) -> None:
        """Copy them back. Connections that are open stay usable."""
        _copy_database(self._copy_of(self._path), self._path)
        for folder in self._folders:
            _copy_folder(self._copy_of(folder), folder)

    def read(self) -> dict[str, str]:
        """Digest of each table, whatever the order of its rows, and of each file."""
        found: dict[str, str] = {}
        with closing(sqlite3.connect(self._path, timeout=10)) as connection:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (name,) in names:
                if name not in self._ignore:
                    quoted = name.replace('"', '""')
                    rows = sorted(map(repr, connection.execute(f'SELECT * FROM "{quoted}"')))  # noqa: S608 -- a quoted name
                    found[f"table {name}"] = _digest("\n".join(rows).encode())
        for folder in self._folders:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    found[f"file {path.relative_to(folder.parent)}"] = _digest(path.read_bytes())
        return found

    @staticmethod
    def _copy_of(path: Path) -> Path:
        return path.with_name(f"{path.name}.saved")


def find_differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Names of tables and files that differ."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _copy_database(source: Path, target: Path) -> None:
    # SQLite's own copy: other connections to the target keep working, which a replaced file would not give.
    with (
        closing(sqlite3.connect(source, timeout=10)) as reading,
        closing(sqlite3.connect(target, timeout=10)) as writing,
    ):
        reading.backup(writing)


def _copy_folder(source: Path, target: Path) -> None:
    if target.exists():
        shutil.rmtree(target)
    if source.exists():
        shutil.copytree(source, target)
