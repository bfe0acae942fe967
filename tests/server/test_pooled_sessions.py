"""Poolers in front of the database: one that shares sessions between transactions is refused."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection

from muniment.errors import DatabaseError
from muniment.server.running.database_settings import connect_database
from muniment.server.running.pooled_sessions import refuse_shared_sessions
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")


def open_session() -> psycopg.Connection[Any]:
    opened = connect_database(connection.settings_dict)
    opened.autocommit = True
    return opened


class TransactionPooler:
    """PgBouncer in transaction mode: a session of the server belongs to a client until its transaction ends.

    A free session is taken last in, first out, as there.
    """

    def __init__(self, size: int, *, resets: bool = False) -> None:
        self.free = [open_session() for _ in range(size)]
        self.resets = resets
        self.every = tuple(self.free)

    def connect(self) -> "PooledConnection":
        return PooledConnection(self)


class PooledConnection:
    """Connection of a client to the pooler."""

    def __init__(self, pooler: TransactionPooler) -> None:
        self._pooler = pooler
        self._held: psycopg.Connection[Any] | None = None

    def execute(self, text: str, values: list[str] | None = None) -> Any:
        session = self._held or self._pooler.free.pop()
        answer = session.execute(text, values)
        self._held = session if text == "BEGIN" or (self._held and text != "ROLLBACK") else None
        if self._held is None:
            if self._pooler.resets:
                session.execute("DISCARD ALL")
            self._pooler.free.append(session)
        return answer

    def close(self) -> None:
        assert self._held is None


@pytest.fixture
def poolers() -> Iterator[list[TransactionPooler]]:
    with as_role("owner"):
        made = [TransactionPooler(3), TransactionPooler(10), TransactionPooler(3, resets=True)]
        yield made
        for pooler in made:
            for session in pooler.every:
                session.close()


def test_transaction_mode_is_refused_with_its_reason(poolers: list[TransactionPooler]) -> None:
    for pooler in poolers:
        with pytest.raises(DatabaseError, match="each transaction another session") as caught:
            refuse_shared_sessions(pooler.connect)
        assert "pool_mode = session" in caught.value.remedy
        assert len(pooler.free) == len(pooler.every), "no transaction is left open"


def test_sessions_of_the_server_itself_are_accepted() -> None:
    with as_role("owner"):
        refuse_shared_sessions(open_session)


def test_statement_mode_is_refused() -> None:
    class StatementPooled:
        """Connection through PgBouncer in statement mode, as its version 1.18 answers."""

        def execute(self, text: str, values: list[str] | None = None) -> None:
            if text == "BEGIN":
                raise psycopg.errors.ProtocolViolation("transaction blocks not allowed in statement pooling mode")

        def close(self) -> None:
            pass

    with pytest.raises(DatabaseError, match="each transaction another session"):
        refuse_shared_sessions(StatementPooled)
