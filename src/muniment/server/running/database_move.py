"""Moves the database of a home that stands still: out of our own PostgreSQL to a server of the company's, and back.

The home changes to the copy only once that says the same as the original, which stays where it was and is not used any
more.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from muniment.errors import DatabaseError, LedgerError, MunimentError, UsageError
from muniment.ledger.checkpoints import read_checkpoint
from muniment.programs.catalogue import Program
from muniment.server.running import database_settings
from muniment.server.running.backup_file import DUMP, restore_database, run_postgres_program
from muniment.server.running.home_database import CLUSTER, DatabaseKind, find_database_kind, store_kind
from muniment.store.files_store import PUBLIC

_LEFT = "postgres-moved"  # in the home: what our own server had, once it was moved away


class DatabaseContent(NamedTuple):
    """Content by which two databases are compared: the rows of each table, the records' digest, the ledger's
    checkpoint.
    """

    rows: dict[str, int]
    records: str
    checkpoint: bytes


def move_database(folder: Path, target: DatabaseKind, url: str) -> int:
    """Move the database, and store its new address; returns the number of its records. Nobody else may use the home
    meanwhile.

    Raises UsageError where there is nothing to move, DatabaseError where it cannot be moved: the home then stays as
    it was.
    """
    if find_database_kind(folder) is None:
        raise UsageError(f"{folder} has no database yet", "Start it once: muniment up")
    if find_database_kind(folder) is target:
        raise UsageError(f"the database of {folder} is there already", "Say the other one of external and embedded.")
    if not url:
        raise UsageError("DATABASE_URL names no database", "Set it to the database of the company's own server.")
    if target is DatabaseKind.EMBEDDED and folder.joinpath(*CLUSTER).is_file():
        raise UsageError(f"{folder}/postgres is in the way", "Move that folder away: it is not what the home uses.")
    there = database_settings.make_django_settings(
        folder, {database_settings.URL_VARIABLE: url, database_settings.ROLE_VARIABLE: "owner"}
    )
    try:
        with database_settings.embedded_server(folder):
            count = _copy_database(folder, there, target)
    except MunimentError:
        if target is DatabaseKind.EMBEDDED:  # it was made just now
            shutil.rmtree(folder / "postgres", ignore_errors=True)
        raise
    store_kind(folder, target, database_settings.strip_credentials(url) if target is DatabaseKind.EXTERNAL else "")
    if target is DatabaseKind.EXTERNAL:
        _set_aside(folder)
    return count


def _copy_database(folder: Path, there: Mapping[str, Any], target: DatabaseKind) -> int:
    here = database_settings.make_django_settings(folder, {database_settings.ROLE_VARIABLE: "owner"})
    source, destination = (here, there) if target is DatabaseKind.EXTERNAL else (there, here)
    _require_unused(source)
    content = _read_content(source)
    _require_own_ledger(folder, content)
    if _read_tables(destination):
        raise DatabaseError("the database to move to is not empty; nothing was changed", "Name an empty one.")
    without = ("--no-owner", "--no-privileges", "--no-policies")  # the next start gives them as its version has them
    dump = run_postgres_program(
        Program.PG_DUMP, ["--format=custom", *without], database_settings.make_program_variables(source)
    )
    restore_database({DUMP: dump}, database_settings.make_program_variables(destination))
    if _read_content(destination) != content or _read_content(source) != content:
        raise DatabaseError(
            "the copy does not say what the database says; the home uses the database of before",
            "End whatever writes to it, empty the database to move to, then move it again.",
        )
    return content.rows["records_record"]


def _connect_database(settings: Mapping[str, Any]) -> "psycopg.Connection[tuple[Any, ...]]":
    try:
        return database_settings.connect_database(settings)
    except psycopg.Error as error:
        where = settings["HOST"] or "this machine"
        remedy = "See that it runs, and that DATABASE_URL names it and a user that it lets in."
        raise DatabaseError(f"the database at {where} does not answer", remedy) from error


def _require_unused(settings: Mapping[str, Any]) -> None:
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND backend_type = 'client backend'"
    )
    with _connect_database(settings) as connection:
        if connection.execute(query).fetchone() != (0,):
            raise DatabaseError(
                "other processes use the database; nothing was changed",
                "End web, worker and sequencer on all machines.",
            )


def _read_tables(settings: Mapping[str, Any]) -> tuple[str, ...]:
    with _connect_database(settings) as connection:
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
        return tuple(str(name) for (name,) in found)


def _read_content(settings: Mapping[str, Any]) -> DatabaseContent:
    rows = {}
    tables = _read_tables(settings)
    if "records_record" not in tables:
        raise DatabaseError("the database is not Muniment's; nothing was changed", "See what DATABASE_URL names.")
    with _connect_database(settings) as connection:
        for table in tables:
            counted = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
            rows[table] = int(counted[0]) if counted else 0
        digest = "SELECT coalesce(md5(string_agg(md5(data), '' ORDER BY id)), '') FROM records_record"
        records = connection.execute(digest).fetchone() or ("",)
        checkpoint = connection.execute("SELECT checkpoint FROM records_ledgerhead").fetchone() or (None,)
    return DatabaseContent(rows, str(records[0]), bytes(checkpoint[0] or b""))


def _require_own_ledger(folder: Path, content: DatabaseContent) -> None:
    if not content.checkpoint:
        return
    try:
        read_checkpoint(content.checkpoint, (folder / PUBLIC).read_text(encoding="utf-8").strip())
    except (OSError, LedgerError) as error:
        raise DatabaseError(
            f"the ledger in the database is not that of {folder}; nothing was changed",
            "Name the home that belongs to this database: --home FOLDER",
        ) from error


def _set_aside(folder: Path) -> None:
    names = (_LEFT, *(f"{_LEFT}-{number}" for number in range(2, 1000)))
    free = next(folder / name for name in names if not (folder / name).exists())
    (folder / "postgres").rename(free)
