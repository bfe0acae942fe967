"""Queries whose SQL Django builds once: what building it takes is most of the time of a small query.

    @remember_sql
    def read_titles(product: int, now: datetime) -> QuerySet[Any, tuple[str]]:
        return Change.objects.filter(repository__product=product, updated_at__lt=now).values_list("title")

`read_titles(7, now)` then gives the rows. Text, numbers, moments and days are filled into the SQL of an earlier call;
for any other argument, and each length of a tuple, the SQL is built anew.
"""

import functools
from collections.abc import Callable, Collection
from copy import copy
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Any, NamedTuple, ParamSpec, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import connection, connections
from django.db.models import Model, QuerySet
from psycopg import sql

P = ParamSpec("P")
QueryRow = TypeVar("QueryRow")
Instance = TypeVar("Instance", bound=Model)

_MOST = 64  # statements of one query
_FILLED = (str, int, datetime, date)
# Of the values that stand for arguments. A number fits each column: Django finds nothing for one that is too large.
_FIRST_NUMBER, _FIRST_DAY = 2_000_000_000, datetime(1901, 1, 1, tzinfo=UTC)


class _Constant(NamedTuple):
    """Parameter that is the same for each call."""

    value: object


class _Statement(NamedTuple):
    """SQL, for each of its parameters the place among the filled values, or a constant; and the query that it is of."""

    sql: str
    parameters: tuple[int | _Constant, ...]
    rows: QuerySet[Any, Any]
    compiler: Any

    def fill_parameters(self, arguments: tuple[Any, ...]) -> list[Any]:
        """Parameters of a call with these arguments."""
        values = _list_filled(arguments)
        return [values[one] if isinstance(one, int) else one.value for one in self.parameters]

    def read_tuples(self, arguments: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """Rows of a `values_list`."""
        with connection.cursor() as cursor:
            cursor.execute(self.sql, self.fill_parameters(arguments))
            found = cursor.fetchall()
        converters = self.compiler.get_converters([one for one, _sql, _alias in self.compiler.select])
        return [tuple(row) for row in self.compiler.apply_converters(found, converters)] if converters else found

    def read_instances(self, arguments: tuple[Any, ...]) -> list[Any]:
        """Instances of a model. Django makes them as those of any query, but from rows that are read already: to make
        none takes no time.
        """
        with connection.cursor() as cursor:
            cursor.execute(self.sql, self.fill_parameters(arguments))
            found = cursor.fetchall()
        if not found:
            return []
        compiler, rows = copy(self.compiler), self.rows.all()
        compiler.connection = connections[rows.db]  # of this thread: another one may have built the SQL
        compiler.execute_sql = lambda *_, **__: [found]
        rows.query.get_compiler = lambda *_, **__: compiler  # type: ignore[method-assign]
        return list(rows)


def remember_sql(build: Callable[P, "QuerySet[Any, QueryRow]"]) -> Callable[P, list[QueryRow]]:
    """Rows of the `values_list` that `build` gives for some arguments, which are positional.

    Raises TypeError for a query that reads the clock, or reads an argument otherwise than as a parameter.
    """
    return _remember_query(build, _Statement.read_tuples)


def remember_instances(build: Callable[P, "QuerySet[Instance]"]) -> "Callable[P, list[Instance]]":
    """Instances of the query that `build` gives for some arguments, as `remember_sql`. With `select_related`."""
    return _remember_query(build, _Statement.read_instances)


def save_columns(row: Model, *names: str) -> None:
    """Write these fields of a row, as its `save` does, without signals. Raises TypeError for recorded rows."""
    sql, fields = _build_update(type(row), names)
    values = [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields]
    with connection.cursor() as cursor:
        cursor.execute(sql, [*values, row.pk])
        if cursor.rowcount != 1:
            raise RuntimeError(f"there is no row {row.pk} of {row._meta.db_table} any more")


@functools.lru_cache(maxsize=_MOST)
def _build_update(model: type[Model], names: tuple[str, ...]) -> tuple[str, tuple[Any, ...]]:
    """Statement that writes these fields of one row, whose id is its last parameter, and the fields."""
    if hasattr(model, "recorded_columns"):
        raise TypeError(f"{model._meta.db_table} is written by acts, which note its rows by signals")
    fields: tuple[Any, ...] = tuple(model._meta.get_field(name) for name in names)
    columns: list[sql.Composable] = [sql.SQL("{} = %s").format(sql.Identifier(field.column)) for field in fields]
    query = sql.SQL("UPDATE {table} SET {columns} WHERE {key} = %s").format(
        table=sql.Identifier(model._meta.db_table),
        columns=sql.SQL(", ").join(columns),
        key=sql.Identifier(str(model._meta.pk.column)),
    )
    return query.as_string(), fields


def _remember_query(
    build: Callable[P, Any], read: Callable[[_Statement, tuple[Any, ...]], list[Any]]
) -> Callable[P, Any]:
    known: dict[tuple[object, ...], _Statement | None] = {}

    @functools.wraps(build)
    def read_rows(*arguments: Any, **named: Any) -> list[Any]:
        if named:
            raise TypeError("arguments of a remembered query are positional")
        form = tuple(map(_find_form, arguments))
        if form not in known:
            if len(known) >= _MOST:
                known.clear()
            known[form] = _build_statement(build, arguments)
        statement = known[form]
        return [] if statement is None else read(statement, arguments)

    return read_rows


def _is_filled(argument: object) -> bool:
    return isinstance(argument, _FILLED) and not isinstance(argument, bool | Enum)


def _find_form(argument: object) -> object:
    """Part of the key of a statement: the type of what is filled in, else the argument itself."""
    if type(argument) is tuple:  # a named one is a part of the SQL
        return tuple(map(_find_form, argument))
    return type(argument) if _is_filled(argument) else argument


def _list_filled(arguments: tuple[Any, ...]) -> list[object]:
    """Values that are filled in, those of tuples one by one."""
    found: list[object] = []
    for argument in arguments:
        if type(argument) is tuple:
            found += _list_filled(argument)
        elif _is_filled(argument):
            found.append(argument)
    return found


def _build_statement(build: Callable[..., "QuerySet[Any, Any]"], arguments: tuple[Any, ...]) -> _Statement | None:
    """Statement for arguments of this form; None where it can find nothing, as with an empty tuple."""
    markers: dict[object, int] = {}
    rows = build(*(_make_marker(argument, markers) for argument in arguments))
    compiler = rows.query.get_compiler(connection=connection)
    try:
        sql, parameters = compiler.as_sql()
    except EmptyResultSet:
        if not _has_empty_collection(arguments):
            raise TypeError("a remembered query finds nothing, whatever its arguments are") from None
        return None
    found = tuple(_find_place(one, markers) for one in parameters)
    if missing := set(markers.values()).difference(one for one in found if isinstance(one, int)):
        raise TypeError(f"arguments of a remembered query are no parameters of its SQL: {sorted(missing)}")
    return _Statement(sql, found, rows, compiler)


def _has_empty_collection(values: Collection[Any]) -> bool:
    inner = [one for one in values if isinstance(one, Collection) and not isinstance(one, str)]
    return any(not one or _has_empty_collection(one) for one in inner)


def _make_marker(argument: Any, markers: dict[object, int]) -> Any:
    """Value in place of an argument, which no query contains by itself."""
    if type(argument) is tuple:
        return tuple(_make_marker(one, markers) for one in argument)
    if not _is_filled(argument):
        return argument
    number = len(markers)
    marker: object
    match argument:
        case str():
            marker = f"<argument {number}>"
        case int():
            marker = _FIRST_NUMBER + number
        case datetime():
            marker = _FIRST_DAY + timedelta(days=number)
        case _:
            marker = (_FIRST_DAY + timedelta(days=number)).date()
    markers[marker] = number
    return marker


def _find_place(parameter: object, markers: dict[object, int]) -> int | _Constant:
    if parameter in markers:
        return markers[parameter]
    if isinstance(parameter, date):
        raise TypeError("a remembered query takes moments and days as arguments, since its SQL outlives them")
    return _Constant(parameter)
