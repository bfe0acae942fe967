"""Entries of the ledger for people: one line each, and what lies beside one."""

from collections.abc import Iterator
from typing import Any

import msgspec

from muniment.cli import printing, telling
from muniment.ledger import entries, told


def line(number: int, entry: entries.AnyEntry) -> str:
    """Number, moment, kind, and what it says."""
    return f"{number:>6}  {entry.time[:16].replace('T', ' ')}  {told.kind(entry):<14} {telling.short(told.said(entry))}"


def details(entry: entries.AnyEntry, beside: Any, problem: str) -> Iterator[str]:
    """Everything else: the entry's own fields, then the object, or that it was erased."""
    values = msgspec.to_builtins(entry)
    for name in ("repository_location", "policy", "facts", "results", "trigger", "push", "object"):
        if values.get(name):
            yield printing.dim(f"        {name}: {values[name]}")
    if problem:
        yield f"        {printing.plain(problem)}"
    elif beside is not None:
        text = msgspec.json.format(msgspec.json.encode(beside, order="sorted")).decode()
        yield from (f"        {printing.plain(part)}" for part in text.splitlines())
