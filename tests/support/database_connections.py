"""Connections to the tests' database that wait for their next use: to make one takes longer than most questions to it.

A test changes its role many times. What a closed connection would have lost (locks, settings, temporary tables), one
that waits loses too.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import connection, connections
from django.db.backends.postgresql.base import DatabaseWrapper
from psycopg.pq import TransactionStatus

# What DISCARD ALL does, but for prepared statements: the driver keeps a list of those, and uses them again.
_FORGET = (
    "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *;"
    " SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES"
)

_waiting: dict[tuple[str, str, str], psycopg.Connection[Any]] = {}


@contextmanager
def keep_connections() -> Iterator[None]:
    """Keep connections that `leave_connection` leaves, for the main thread, and close them in the end."""
    connect = DatabaseWrapper.get_new_connection

    def take_or_connect(wrapper: Any, given: dict[str, Any]) -> Any:
        stored = _waiting.pop(_key(given), None) if _is_main(wrapper) else None
        if stored is not None and _answers(stored):
            wrapper.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
            return stored
        return connect(wrapper, given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseWrapper, "get_new_connection", take_or_connect)
        try:
            yield
        finally:
            connections.close_all()
            _close_waiting()


def leave_connection() -> None:
    """Close this thread's connection for Django; it waits for its next use, if nothing forbids that."""
    wrapper = connections["default"]
    used = wrapper.connection
    if not isinstance(wrapper, DatabaseWrapper) or used is None or not _is_main(wrapper) or wrapper.in_atomic_block:
        connection.close()
        return
    key = _key(wrapper.get_connection_params())
    if key in _waiting or not _forgets(used):
        connection.close()
        return
    _waiting[key] = used
    wrapper.connection = None
    wrapper.run_on_commit = []


def _close_waiting() -> None:
    while _waiting:
        _waiting.popitem()[1].close()


os.register_at_fork(before=_close_waiting)  # two processes would talk over one connection


def _key(given: dict[str, Any]) -> tuple[str, str, str]:
    return str(given.get("host")), str(given.get("dbname")), str(given.get("user"))


def _is_main(wrapper: DatabaseWrapper) -> bool:
    return wrapper.alias == "default" and threading.current_thread() is threading.main_thread()


def _forgets(used: psycopg.Connection[Any]) -> bool:
    """Whether the connection is as a new one now."""
    if used.closed or used.info.transaction_status is not TransactionStatus.IDLE:
        return False
    return _does(used, _FORGET)


def _answers(stored: psycopg.Connection[Any]) -> bool:
    return not stored.closed and _does(stored, "SELECT 1")


def _does(one: psycopg.Connection[Any], statement: str) -> bool:
    try:
        one.execute(statement, prepare=False)
    except psycopg.Error:
        one.close()
        return False
    return True
