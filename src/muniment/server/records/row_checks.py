"""Compares recorded rows with the records of the acts that wrote them.

All rows of a table are compared once for each version of the table. Its version is the number of its rows, and the
sum of the transactions that wrote them: each write raises the sum, so no version returns, even if a row is altered
and put back. A difference denies; a background task opens the incident.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Generic, NamedTuple, TypeVar

from django.db import connection, models
from django.utils.translation import gettext as _
from psycopg import sql

from muniment.errors import LedgerError, RowsDifferError
from muniment.ledger import record_kinds
from muniment.server.records.models import Record, RowState
from muniment.server.records.recorded_rows import Values, list_recorded_columns, read_recorded_columns
from muniment.server.records.row_states import commit_to_row, digest_states

_TRIES = 5  # while acts write the same table at this moment
_SHOWN = 3  # rows in a sentence
_NEWEST = """
    SELECT DISTINCT ON (key) key, commitment, salt, record_id FROM records_rowstate
    WHERE "table" = %s ORDER BY key, record_id DESC
"""

T = TypeVar("T")
Version = tuple[int, int]  # how many rows, and the sum of the transactions that wrote them


class RowCode(StrEnum):
    """Codes of differences between a row and the ledger."""

    NOT_RECORDED = "not-recorded"  # no act wrote it
    ALTERED = "altered"  # an act wrote it, and something else later
    MISSING = "missing"  # it was deleted by no act
    NO_RECORD = "no-record"  # its newest state is in no record
    NOT_PROVEN = "not-proven"  # the policy demands signatures of two persons over it, and they are not there


class RowProblem(NamedTuple):
    """A row that differs from the ledger, by its table and key."""

    table: str
    key: str
    code: RowCode


class _State(NamedTuple):
    commitment: str
    salt: str
    record: int


class _Comparison(NamedTuple):
    """Result of a comparison: the table's version, the matching rows with the state of each, and the problems.

    `recorded` are the records of the newest states of rows with problems, by key: an act can accept one as it is.
    """

    version: Version
    agreed: Mapping[str, tuple[str, Values]]
    problems: tuple[RowProblem, ...]
    recorded: Mapping[str, int]


FindUnproven = Callable[[type[models.Model], Mapping[str, tuple[int, Values]]], frozenset[str]]


def _find_none(model: type[models.Model], rows: Mapping[str, tuple[int, Values]]) -> frozenset[str]:
    return frozenset()


class _ProofCheck:
    """Check of signatures over rows, which a higher app provides (`requests/proven_rows.py`)."""

    find_unproven: FindUnproven = staticmethod(_find_none)


def register_proof_check(find_unproven: FindUnproven) -> None:
    """Have rows compared with signatures too: `find_unproven` gives the keys of rows that lack them, of rows that
    match the record whose id is named. Called once, at the start.
    """
    _ProofCheck.find_unproven = staticmethod(find_unproven)


_compared: dict[str, _Comparison] = {}
_proven: dict[int, frozenset[str]] = {}  # of each record that was looked at, the commitments that it has the digest of


def find_row_problems(tables: Iterable[type[models.Model]]) -> tuple[RowProblem, ...]:
    """Rows of these tables that differ from the ledger."""
    wanted = tuple(tables)
    versions = _read_versions(wanted)
    found: list[RowProblem] = []
    for model in wanted:
        name = model._meta.db_table
        known = _compared.get(name)
        if known is None or known.version != versions[name] or _lacks_proof(known) or _was_accepted(known):
            known = _compared[name] = _compare_until_stable(model, versions[name], known)
        found += known.problems
    return tuple(found)


def _was_accepted(known: _Comparison) -> bool:
    """Whether an act since accepted one of the differing rows: that writes no row of the table itself."""
    if not known.problems:
        return False
    rows = RowState.objects.filter(table=known.problems[0].table, key__in=[one.key for one in known.problems])
    return dict(rows.values_list("key").annotate(models.Max("record"))) != known.recorded


def find_instance_problems(instances: Iterable[models.Model]) -> tuple[RowProblem, ...]:
    """Problems of these rows, as they were read."""
    rows = tuple(instances)
    problems = {(one.table, one.key): one for one in find_row_problems(dict.fromkeys(type(row) for row in rows))}
    found: list[RowProblem] = []
    for row in rows:
        table, key = row._meta.db_table, str(row.pk)
        known = problems.get((table, key))
        if known is not None:
            found.append(known)
        elif _compared[table].agreed.get(key, ("", ()))[1] != _read_values(row):
            found.append(RowProblem(table, key, RowCode.ALTERED))
    return tuple(found)


def require_recorded(*instances: models.Model) -> None:
    """Raise RowsDifferError unless each of these rows, as it was read, matches the ledger."""
    _refuse_problems(find_instance_problems(instances))


class ReadCache(Generic[T]):
    """Cache of readings during which every row of some tables agreed with the ledger, by key and version of each table.

    `tables` are those of `read_recorded`, `others` the ones that `read` reads besides: their rows are in no record, or
    were compared by the caller. What `read` gives depends on these tables and the key alone.
    """

    def __init__(
        self, tables: tuple[type[models.Model], ...], others: tuple[type[models.Model], ...], most: int
    ) -> None:
        self._tables = tables
        self._others = others
        self._most = most
        self._found: OrderedDict[Hashable, tuple[dict[str, Version], T]] = OrderedDict()

    def read(self, key: Hashable, read: Callable[[], T]) -> T:
        """Result of `read`, as `read_recorded` would give it now. Raises RowsDifferError."""
        before = _read_versions((*self._tables, *self._others))
        versions, found = self._found.get(key, ({}, None))
        if found is not None and versions == before and _are_compared(self._tables, before):
            return found
        made = read_recorded(read, *self._tables)
        if _read_versions((*self._tables, *self._others)) == before:
            self._found[key] = (before, made)
            self._found.move_to_end(key)
            while len(self._found) > self._most:
                self._found.popitem(last=False)
        return made


def _are_compared(tables: Iterable[type[models.Model]], versions: Mapping[str, Version]) -> bool:
    """Whether these versions were compared with the ledger, and no row differed."""
    known = ((_compared.get(model._meta.db_table), versions[model._meta.db_table]) for model in tables)
    return all(one is not None and one.version == version and not one.problems for one, version in known)


def read_recorded(read: Callable[[], T], *tables: type[models.Model]) -> T:
    """Result of `read`, while every row of these tables matches the ledger. Raises RowsDifferError.

    It is read again if an act wrote them meanwhile: so a row that was altered for this moment alone is not used either.
    """
    for _try in range(_TRIES):
        _refuse_problems(find_row_problems(tables))
        before = {model: _compared[model._meta.db_table].version for model in tables}
        found, now = read(), _read_versions(tables)
        if all(now[model._meta.db_table] == version for model, version in before.items()):
            return found
    raise RowsDifferError(
        _("rows that are needed were written again and again meanwhile"), _("It is read again in a moment.")
    )


def _refuse_problems(problems: Collection[RowProblem]) -> None:
    if problems:
        raise RowsDifferError(
            _("rows of the database are not what the ledger says: %(rows)s") % {"rows": format_rows(problems)},
            _(
                "See what differs with: muniment doctor. Then find out which database login wrote it, "
                "and repeat the change on its page."
            ),
        )


def _read_values(row: models.Model) -> Values:
    """The recorded columns of a row as it was read."""
    fields = [row._meta.get_field(name) for name in list_recorded_columns(type(row))]
    return tuple(getattr(row, str(getattr(field, "attname", field.name))) for field in fields)


def format_rows(problems: Collection[RowProblem]) -> str:
    """Format the first rows, and the number of all."""
    rows = ", ".join(f"{one.table} {one.key} ({one.code})" for one in list(problems)[:_SHOWN])
    more = len(problems) - _SHOWN
    return rows if more <= 0 else _("%(shown)s and %(count)d more") % {"shown": rows, "count": more}


def forget_comparisons() -> None:
    """Compare every row again at the next check."""
    _compared.clear()
    _proven.clear()


def format_versions(*tables: type[models.Model]) -> str:
    """Versions of tables as text: another one after each write to one of them."""
    return str(sorted(_read_versions(tables).items()))


def _read_versions(tables: tuple[type[models.Model], ...]) -> dict[str, Version]:
    """Version of each table, in one query; none of no table, for which there is no query."""
    if not tables:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_build_version_query(tuple(model._meta.db_table for model in tables)))
        return {name: (int(count), int(total)) for name, count, total in cursor.fetchall()}


@lru_cache(maxsize=64)  # each evaluation asks for the same few sets of tables
def _build_version_query(tables: tuple[str, ...]) -> str:
    one = sql.SQL("SELECT {name}, count(*), coalesce(sum(xmin::text::bigint), 0) FROM {table}")
    parts = [one.format(name=sql.Literal(name), table=sql.Identifier(name)) for name in tables]
    return sql.SQL(" UNION ALL ").join(parts).as_string()


def _compare_until_stable(model: type[models.Model], version: Version, known: _Comparison | None) -> _Comparison:
    """Compare all rows of a table. Rows that an act writes meanwhile are read again."""
    found, left = _compare_once(model, version, known), _TRIES
    while left and (now := _read_versions((model,))[model._meta.db_table]) != version:
        version, left = now, left - 1
        found = _compare_once(model, version, known)
    return found


def read_matching_rows(model: type[models.Model]) -> dict[str, Values]:
    """Recorded columns of rows that match their records, by key; signatures are not checked."""
    agreed, _states, _problems = _compare_with_records(model, {})
    return {key: values for key, (_, values) in agreed.items()}


def _compare_once(model: type[models.Model], version: Version, known: _Comparison | None) -> _Comparison:
    agreed, states, problems = _compare_with_records(model, known.agreed if known is not None else {})
    unproven = _ProofCheck.find_unproven(model, {key: (states[key].record, row) for key, (_, row) in agreed.items()})
    for key in sorted(unproven):
        del agreed[key]
        problems.append(RowProblem(model._meta.db_table, key, RowCode.NOT_PROVEN))
    recorded = {one.key: states[one.key].record for one in problems if one.key in states}
    return _Comparison(version, agreed, tuple(problems), recorded)


def _compare_with_records(
    model: type[models.Model], before: Mapping[str, tuple[str, Values]]
) -> tuple[dict[str, tuple[str, Values]], dict[str, _State], list[RowProblem]]:
    """Rows that match, the newest state of each row, and the problems of the others."""
    table = model._meta.db_table
    rows, states = read_recorded_columns(model), _read_newest_states(table)
    _verify_states(states.values())
    agreed: dict[str, tuple[str, Values]] = {}
    problems: list[RowProblem] = []
    for key in sorted({*rows, *states}):
        values, state = rows.get(key), states.get(key)
        if state is None:
            problems.append(RowProblem(table, key, RowCode.NOT_RECORDED))
        elif state.commitment not in _proven.get(state.record, ()):
            problems.append(RowProblem(table, key, RowCode.NO_RECORD))
        elif values is not None and before.get(key) == (state.commitment, values):
            agreed[key] = state.commitment, values
        elif commit_to_row(table, key, values, state.salt) != state.commitment:
            problems.append(RowProblem(table, key, RowCode.MISSING if values is None else RowCode.ALTERED))
        elif values is not None:
            agreed[key] = state.commitment, values
    return agreed, states, problems


def _lacks_proof(known: _Comparison) -> bool:
    """Whether a row lacked its signatures: they may be verified by now, which changes no row of its table."""
    return any(one.code is RowCode.NOT_PROVEN for one in known.problems)


def _read_newest_states(table: str) -> dict[str, _State]:
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, [table])
        return {key: _State(*state) for key, *state in cursor.fetchall()}


def _verify_states(states: Iterable[_State]) -> None:
    """Verify, for records that were not read yet, which states their digest covers."""
    new = {state.record for state in states if state.commitment not in _proven.get(state.record, ())}
    if not new:
        return
    commitments: dict[int, list[str]] = {}
    for record, commitment in RowState.objects.filter(record__in=new).values_list("record_id", "commitment"):
        commitments.setdefault(record, []).append(commitment)
    for record, data in Record.objects.filter(pk__in=new, refusal=None).values_list("pk", "data"):
        found = commitments.get(record, [])
        _proven[record] = (
            frozenset(found) if _read_rows_digest(bytes(data), record) == digest_states(found) else frozenset()
        )


def _read_rows_digest(data: bytes, record: int) -> str:
    """Digest of the states of a record; none for a malformed record."""
    try:
        return str(getattr(record_kinds.decode_record(data, record), "rows", ""))
    except LedgerError:
        return ""
