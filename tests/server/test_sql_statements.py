"""Tables that an SQL statement writes to; strings, names and comments hide none."""

import pytest

from muniment.server.guarding.sql_statements import find_written_tables


@pytest.mark.parametrize(
    ("statement", "tables"),
    [
        ("select 1", set()),
        ('insert into "a" values (1)', {"a"}),
        ("update only public.a set x = 1", {"a"}),
        ("delete from a; truncate table b", {"a", "b"}),
        ("with x as (delete from a returning *) select * from x", {"a"}),
        ("select 1 from a for update", set()),
        ("create table a (x int)", {"create"}),
        ("select 'delete from a'", set()),
        ("select 'it''s; delete from a'", set()),
        ("select e'it\\'s; delete from a'", set()),
        ("select $1 -- delete from a", set()),
        ("select /* delete from a */ 1", set()),
        ('select "delete from a" from b', set()),
    ],
)
def test_written_tables_of_a_statement_are_named(statement: str, tables: set[str]) -> None:
    assert find_written_tables(statement) == tables


@pytest.mark.parametrize(
    "statement",
    [
        "select '\\'; delete from a where x = '\\'",  # outside E'…' a backslash is a character like any other
        "select date'\\'; delete from a where x = '\\'",
        """select "it's"; delete from a where x = 'y'""",
        """select "a--b"; delete from a""",
        """select "a/*b"; delete from a where x = '*/'""",
        "select e'\\\\'; delete from a where x = ''",
        "select 1 /* '*/; delete from a where x = ''",
        "select 1 -- '\n; delete from a where x = ''",
    ],
)
def test_strings_names_and_comments_hide_no_written_table(statement: str) -> None:
    assert "a" in find_written_tables(statement)
