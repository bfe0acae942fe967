"""States of rows that an act wrote: commitments, whose digest the record of the act has."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from muniment.facts import canonical
from muniment.ledger import record_objects
from muniment.server.records.models import RowState
from muniment.server.records.recorded_rows import RowCollector, Values, read_recorded_columns


def make_states(collector: RowCollector) -> list[RowState]:
    """States of the noted rows, not stored yet, for a record with their `digest_states`."""
    made: list[RowState] = []
    for model, keys in collector.rows.items():
        rows, table = read_recorded_columns(model, list(keys)), model._meta.db_table
        for key in keys:
            salt = record_objects.draw_salt()
            commitment = commit_to_row(table, key, rows.get(key), salt)
            made.append(RowState(table=table, key=key, salt=salt, commitment=commitment))
    return made


def store_states(states: list[RowState], record: int) -> None:
    """Store states under the record that has their digest."""
    for state in states:
        state.record_id = record
    RowState.objects.bulk_create(states)


def commit_to_row(table: str, key: str, values: Values | None, salt: str) -> str:
    """Commitment to the values of a row; `values` is None for a deleted row."""
    texts = None if values is None else [_encode_value(value) for value in values]
    return canonical.digest_value({"table": table, "key": key, "values": texts, "salt": salt})


def digest_states(commitments: Iterable[str]) -> str:
    """Digest in the record of an act of the rows that it wrote, "" for none."""
    found = sorted(commitments)
    return canonical.digest_value(found) if found else ""


def _encode_value(value: Any) -> Any:
    """Value of a column as in JSON: bytes by their digest, moments and days in one format."""
    if isinstance(value, bytes | bytearray | memoryview):
        return canonical.digest_bytes(bytes(value))
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value
