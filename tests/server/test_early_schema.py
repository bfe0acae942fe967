"""A home of an earlier version of before the first release is refused, and its owner reads what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection

from muniment.errors import DatabaseError
from muniment.server.running.preparation import migrate_schema
from muniment.server.running.schema_version import require_current_schema
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")


@contextmanager
def changed_table(there: str, back: str) -> Iterator[None]:
    """The table of products as an earlier version had it."""
    with as_role("owner"):
        _execute_statement(f"ALTER TABLE products_product {there}")
        try:
            yield
        finally:
            _execute_statement(f"ALTER TABLE products_product {back}")


def _execute_statement(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def test_the_schema_of_this_version_is_accepted() -> None:
    require_current_schema()


@pytest.mark.parametrize(
    ("there", "back"),
    [
        ("RENAME COLUMN name TO title", "RENAME COLUMN title TO name"),
        ("ADD COLUMN colour text", "DROP COLUMN colour"),
    ],
)
def test_an_earlier_schema_is_refused_with_the_next_step(there: str, back: str) -> None:
    with changed_table(there, back):
        for start in (require_current_schema, migrate_schema):
            with pytest.raises(DatabaseError, match="made by an earlier Muniment, and 1 of its tables") as caught:
                start()
            assert "muniment up --home DIR" in caught.value.remedy
