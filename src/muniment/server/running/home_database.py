"""Database of a home: stored at the first start, and compared at each later one.

Without that, a DATABASE_URL in addition to a database of its own would silently begin a second ledger under the
same key.
"""

import json
from collections.abc import Mapping, MutableMapping
from enum import StrEnum
from pathlib import Path

from muniment.errors import DatabaseError, LedgerError
from muniment.store import durable_files, key_files
from muniment.store.files_store import PUBLIC

DATABASE_MARK = "database.json"  # in the home of a service
_URL = "DATABASE_URL"
CLUSTER = ("postgres", "data", "PG_VERSION")


class DatabaseKind(StrEnum):
    """Kind of a home's database: our own, or on another server."""

    EMBEDDED = "embedded"
    EXTERNAL = "external"


def read_kind(environment: Mapping[str, str]) -> DatabaseKind:
    """Kind that an environment names."""
    return DatabaseKind.EXTERNAL if environment.get(_URL) else DatabaseKind.EMBEDDED


def read_stored_kind(folder: Path) -> DatabaseKind | None:
    """Kind of database that the home was used with; None if it never was. Raises DatabaseError if it is unknown."""
    try:
        return DatabaseKind(json.loads((folder / DATABASE_MARK).read_text(encoding="utf-8"))["database"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatabaseError(
            f"{folder / DATABASE_MARK} does not say which database the home has; nothing was started",
            'Write {"database": "embedded"} or {"database": "external"} there, as it was before.',
        ) from error


def find_database_kind(folder: Path) -> DatabaseKind | None:
    """Kind of database that the home has, also where it was not stored, as after a restore."""
    known = read_stored_kind(folder)
    return DatabaseKind.EMBEDDED if known is None and folder.joinpath(*CLUSTER).is_file() else known


def store_kind(folder: Path, kind: DatabaseKind, address: str = "") -> None:
    """Store that the home has such a database now, and the address of one elsewhere, without user and password."""
    if read_stored_kind(folder) is not kind or read_stored_address(folder) != address:
        content = {"database": kind.value, **({"address": address} if address else {})}
        durable_files.write_file(folder / DATABASE_MARK, json.dumps(content).encode() + b"\n", 0o644)


def read_stored_address(folder: Path) -> str:
    """Address of the home's database on another server, "" if none was stored."""
    try:
        found = json.loads((folder / DATABASE_MARK).read_text(encoding="utf-8")).get("address", "")
    except (OSError, ValueError, AttributeError):
        return ""  # the caller's error then says that DATABASE_URL does not name the database
    return found if isinstance(found, str) else ""


def use_stored_address(folder: Path, environment: MutableMapping[str, str]) -> None:
    """Use the stored address for commands at the shell: they find the service's database without DATABASE_URL."""
    address = read_stored_address(folder)
    if address and not environment.get(_URL) and read_stored_kind(folder) is DatabaseKind.EXTERNAL:
        environment[_URL] = address


def require_same_kind(folder: Path, environment: Mapping[str, str]) -> None:
    """Raise DatabaseError where the environment names another database than the home has. Nothing is started."""
    known, named = find_database_kind(folder), read_kind(environment)
    if known is None or known is named:
        return
    if named is DatabaseKind.EXTERNAL:
        raise DatabaseError(
            f"{folder} has a database of its own, and DATABASE_URL names another; nothing was started",
            "Unset DATABASE_URL; to move it there: muniment home move-database external",
        )
    raise DatabaseError(
        f"the database of {folder} is on another server, and DATABASE_URL does not name it; nothing was started",
        "Set DATABASE_URL as before; to move it back: muniment home move-database embedded",
    )


def require_database_present(folder: Path, environment: Mapping[str, str]) -> None:
    """Raise DatabaseError where the home's own database was removed: an empty one would take its place."""
    if (
        read_stored_kind(folder) is DatabaseKind.EMBEDDED is read_kind(environment)
        and not folder.joinpath(*CLUSTER).is_file()
    ):
        raise DatabaseError(
            f"the database of {folder} is gone; nothing was started",
            "Bring its folder postgres/data back, or restore a backup into a new home: muniment restore --help",
        )


def require_database_filled(folder: Path) -> None:
    """Raise DatabaseError where a home that was used before meets an empty database. As the owner of the schema."""
    from django.db import connection

    if read_stored_kind(folder) is None:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.django_migrations')")
        if cursor.fetchone() == (None,):
            raise DatabaseError(
                f"the database is empty, and {folder} has been used with one that was not; nothing was changed",
                "See that DATABASE_URL names the database of before.",
            )


def require_own_ledger(folder: Path) -> None:
    """Raise DatabaseError where the ledger in the database was signed with another home's key."""
    from muniment.ledger.checkpoints import read_checkpoint
    from muniment.server.records.models import LedgerHead

    checkpoint = LedgerHead.objects.values_list("checkpoint", flat=True).first()
    try:
        public = (folder / PUBLIC).read_text(encoding="utf-8").strip()
    except OSError:
        return  # a process that has no keys signs nothing
    if checkpoint is None:
        return
    try:
        read_checkpoint(bytes(checkpoint), public)
    except LedgerError as error:
        if key_files.is_exchanged(folder, bytes(checkpoint)):  # the exchange of the key stopped before its end
            key_files.install_next_key(folder)
            return
        raise DatabaseError(
            f"the ledger in the database is not that of {folder}: {error.message}; nothing was changed",
            "Name the home of this database with --home FOLDER, or the database of this home: DATABASE_URL",
        ) from error
