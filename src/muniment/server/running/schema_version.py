"""Schema of the database: changed by one process at a time, and used only by the version that it belongs to."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.apps import apps
from django.db import Error, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from muniment.errors import DatabaseError

_KEY = int.from_bytes(b"muniment")  # of the advisory lock; another program in this database would have to choose it too
_COLUMNS = """
    SELECT relname, attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
"""
_WAIT_SECONDS = 300  # for another process that prepares the same database: the longest migration


@contextmanager
def lock_preparation() -> Iterator[None]:
    """Exclusive lock on preparing this database. Another process waits, then finds everything done.

    Two that migrated one new database at once failed with a duplicate table. PostgreSQL releases the lock when the
    process ends, however it ends. Raises DatabaseError if another process does not end in time.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [f"{_WAIT_SECONDS}s"])
        try:
            cursor.execute("SELECT pg_advisory_lock(%s)", [_KEY])
        except OperationalError as error:
            raise DatabaseError(
                f"another process has been preparing the database for {_WAIT_SECONDS} seconds; nothing was changed",
                "Wait until it ends, or end it: SELECT pid FROM pg_locks WHERE locktype = 'advisory'",
            ) from error
        finally:
            cursor.execute("SELECT set_config('lock_timeout', '0', false)")
    try:
        yield
    finally:
        with suppress(Error), connection.cursor() as cursor:  # a lost connection has lost the lock too
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_KEY])


def lock_preparation_in_transaction() -> None:
    """Take the same lock within a transaction, until that ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_KEY])


def require_current_schema() -> None:
    """Raise DatabaseError unless the schema is that of this version: reading or writing another one would be wrong."""
    executor = MigrationExecutor(connection)
    refuse_foreign_schema(executor)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        raise DatabaseError(
            f"the database's schema is not that of this version of Muniment: {len(missing)} migrations are missing",
            "Bring it up to date: muniment up --once",
        )
    refuse_early_schema()


def refuse_early_schema() -> None:
    """Raise DatabaseError where the tables are not those of this version, although every migration was applied.

    Until the first release, the one migration of an app is replaced by each change: a home of an earlier version has
    the name of the migration, and other tables.
    """
    with connection.cursor() as cursor:
        cursor.execute(_COLUMNS)
        found = set(cursor.fetchall())
    ours = [model for model in apps.get_models() if model.__module__.startswith("muniment.") and model._meta.managed]
    wanted = {(one._meta.db_table, str(field.column)) for one in ours for field in one._meta.local_concrete_fields}
    tables = {table for table, _column in wanted}
    differing = wanted.symmetric_difference(one for one in found if one[0] in tables)
    if differing:
        raise DatabaseError(
            f"this home was made by an earlier Muniment, and {len({table for table, _ in differing})} of its tables "
            "differ from those of this version; nothing was changed",
            "Versions of before the first release cannot be upgraded. Start with a new home: muniment up --home DIR. "
            "Or start this one with the version that made it.",
        )


def refuse_foreign_schema(executor: MigrationExecutor) -> None:
    """Raise DatabaseError for a schema of a later version, or of another program: its meaning is unknown."""
    ours = {app.label for app in apps.get_app_configs() if app.name.startswith("muniment.")}
    applied = set(executor.loader.applied_migrations)
    unknown = sorted(applied - set(executor.loader.disk_migrations))
    later = next((f"{label} {name}" for label, name in unknown if label in ours), "")
    if later:
        raise DatabaseError(
            f"the database was made by a newer Muniment ({later}); nothing was changed",
            "Start that version again, or restore a backup of before into an empty home: muniment restore --help",
        )
    if unknown and ours.isdisjoint(label for label, _ in applied):
        label, name = unknown[0]
        raise DatabaseError(
            f"the database belongs to another program ({label} {name}); nothing was changed",
            "Make a database for Muniment alone, and name it in DATABASE_URL.",
        )
