"""Text of records for people: one line each, and the details of one."""

from collections.abc import Iterator
from typing import Any

import msgspec

from muniment.cli import decision_text, printing
from muniment.ledger import record_kinds, record_text


def format_record(number: int, entry: record_kinds.AnyEntry) -> str:
    """Format a record in one line: position, moment, kind and sentence."""
    text = decision_text.shorten_ids(record_text.describe_record(entry))
    return f"{number:>6}  {entry.time[:16].replace('T', ' ')}  {record_text.record_kind(entry):<14} {text}"


def format_details(entry: record_kinds.AnyEntry, details: Any, problem: str) -> Iterator[str]:
    """Format the record's other fields and its object, or the reason why the object is not there."""
    values = msgspec.to_builtins(entry)
    for name in ("repository_location", "policy", "facts", "results", "trigger", "push", "object"):
        if values.get(name):
            yield printing.dim_text(f"        {name}: {values[name]}")
    if problem:
        yield f"        {printing.make_printable(problem)}"
    elif details is not None:
        text = msgspec.json.format(msgspec.json.encode(details, order="sorted")).decode()
        yield from (f"        {printing.make_printable(part)}" for part in text.splitlines())
