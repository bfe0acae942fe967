"""Refuses a pooler that gives each transaction another session of the database, as PgBouncer's transaction mode does.

Muniment relies on sessions: advisory locks outlive a transaction (one process prepares the schema, one sequencer
signs), LISTEN wakes workers, statements are prepared once for a session, and limits are set for it. With another
session at each transaction, a lock would protect nothing and would never be released. So such a pooler is found out
before anything is written, by what it does: a value that was set in one connection's session shows up in another's.
"""

import contextlib
import secrets
from collections.abc import Callable
from typing import Any

from psycopg import errors

from muniment.errors import DatabaseError

_OTHERS = 2  # connections that hold a transaction open meanwhile: a pooler gives them the session that is free
_SET = "SELECT set_config('muniment.session_mark', %s, false)"
_READ = "SELECT current_setting('muniment.session_mark', true)"


def refuse_shared_sessions(connect: Callable[[], Any]) -> None:
    """Raise DatabaseError if connections that `connect` opens, each with autocommit, do not keep their sessions."""
    mark = secrets.token_hex(16)
    with contextlib.ExitStack() as opened:
        first = _open_connection(opened, connect)
        first.execute(_SET, [mark])
        for _ in range(_OTHERS):
            other = _open_connection(opened, connect)
            _begin_transaction(other)
            opened.callback(other.execute, "ROLLBACK")
            if _read_mark(other) == mark:
                raise _make_refusal()
        if _read_mark(first) != mark:
            raise _make_refusal()


def _open_connection(opened: contextlib.ExitStack, connect: Callable[[], Any]) -> Any:
    connection = connect()
    opened.callback(connection.close)
    return connection


def _begin_transaction(connection: Any) -> None:
    try:
        connection.execute("BEGIN")
    except errors.ProtocolViolation:  # of PgBouncer's statement mode, which permits no transaction
        raise _make_refusal() from None


def _read_mark(connection: Any) -> str:
    (found,) = connection.execute(_READ).fetchone()
    return found or ""


def _make_refusal() -> DatabaseError:
    return DatabaseError(
        "the database is reached through a pooler that gives each transaction another session, "
        "and nothing was changed: locks, notifications and prepared statements belong to a session",
        "Set pool_mode = session in PgBouncer, or name PostgreSQL itself in DATABASE_URL.",
    )
