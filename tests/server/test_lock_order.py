"""Rows that several transactions write are locked in one order, which prevents deadlocks."""

import re
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support.forge_setup import ForgeSetup, start_setup

pytestmark = pytest.mark.usefixtures("service")

_FIRST, _SECOND = "connections_forgechange", "changes_change"


def locks(sql: str) -> str:
    """The table whose rows a statement locks, "" for neither of the two."""
    forms = (r'^UPDATE "(\w+)"', r'FOR UPDATE OF "(\w+)"', r'FROM "?(\w+)"? .*FOR UPDATE$')
    found = next(filter(None, (re.search(form, sql) for form in forms)), None)
    return found[1] if found and found[1] in (_FIRST, _SECOND) else ""


def test_forge_change_is_locked_before_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with start_setup(tmp_path, monkeypatch) as found:
        found.connect()
        check_lock_order(found)


def check_lock_order(setup: ForgeSetup) -> None:
    """Compare the order of locks in each transaction of an evaluation."""
    number = setup.open_change({"app.py": "x = 1\n"})
    setup.evaluate(number)
    for name in ("bob", "carol"):
        setup.acting.approve(name, number)
    with CaptureQueriesContext(connection) as caught:
        setup.evaluate(number)
    orders: list[list[str]] = [[]]
    for query in caught.captured_queries:
        orders += [[]] if query["sql"] in ("BEGIN", "COMMIT") else []
        orders[-1] += filter(None, [locks(query["sql"])])
    wrong = [order for order in orders if _SECOND in order and order[0] != _FIRST]
    assert any(_SECOND in order for order in orders), "it is decided"
    assert not wrong
