"""The states of rows that an act wrote: commitments, whose digest the record of the act has."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from muniment.facts import canonical
from muniment.ledger import objects
from muniment.server.records.models import RowState
from muniment.server.records.recorded_rows import RowCollector, Values, read_rows


def make_states(collector: RowCollector) -> list[RowState]:
    """What became of the rows that were noted, not stored yet, for a record that has `digest_of_states` of them."""
    made: list[RowState] = []
    for model, keys in collector.rows.items():
        rows, table = read_rows(model, list(keys)), model._meta.db_table
        for key in keys:
            salt = objects.salt()
            commitment = commit_to_row(table, key, rows.get(key), salt)
            made.append(RowState(table=table, key=key, salt=salt, commitment=commitment))
    return made


def store_states(states: list[RowState], record: int) -> None:
    """Store states under the record that has their digest."""
    for state in states:
        state.record_id = record
    RowState.objects.bulk_create(states)


def commit_to_row(table: str, key: str, values: Values | None, salt: str) -> str:
    """A commitment to what a row says; `values` is None for a row that is gone."""
    texts = None if values is None else [_text(value) for value in values]
    return canonical.digest_of({"table": table, "key": key, "values": texts, "salt": salt})


def digest_of_states(commitments: Iterable[str]) -> str:
    """What the record of an act says of the rows that it wrote, "" for none."""
    found = sorted(commitments)
    return canonical.digest_of(found) if found else ""


def _text(value: Any) -> Any:
    """A column's value as JSON has it: bytes by their digest, moments and days in one spelling."""
    if isinstance(value, bytes | bytearray | memoryview):
        return canonical.digest(bytes(value))
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value
