"""Rows that several transactions write are locked in one order: else two of them wait for each other, and one fails."""

import re
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support.connected import Town, town

pytestmark = pytest.mark.usefixtures("service")

_FIRST, _SECOND = "connections_forgechange", "changes_change"


def locks(sql: str) -> str:
    """The table of which a statement locks rows, "" for none of the two."""
    found = re.match(r'UPDATE "(\w+)"', sql) or re.search(r'FOR UPDATE OF "(\w+)"', sql)
    return found[1] if found and found[1] in (_FIRST, _SECOND) else ""


def test_a_change_is_locked_after_its_row_at_the_forge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with town(tmp_path, monkeypatch) as found:
        found.connect()
        see_locks_of(found)


def see_locks_of(town: Town) -> None:
    """Compare the order of locks in each transaction of an evaluation."""
    number = town.open({"app.py": "x = 1\n"})
    town.look(number)
    for name in ("bob", "carol"):
        town.acting.approve(name, number)
    with CaptureQueriesContext(connection) as caught:
        town.look(number)
    orders: list[list[str]] = [[]]
    for query in caught.captured_queries:
        orders += [[]] if query["sql"] in ("BEGIN", "COMMIT") else []
        orders[-1] += filter(None, [locks(query["sql"])])
    wrong = [order for order in orders if _SECOND in order and order[0] != _FIRST]
    assert len([order for order in orders if _SECOND in order]) >= 2, "it is opened, and decided"
    assert not wrong
