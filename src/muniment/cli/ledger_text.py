"""Entries of the ledger for people: one line each, and what lies beside one."""

from collections.abc import Iterator
from typing import Any

import msgspec

from muniment.cli import printing, telling
from muniment.facts.paths import to_bytes
from muniment.ledger import entries

_NAMES = {"landed": "refs took what was pushed", "moved": "refs moved past the gate"}


def line(number: int, entry: entries.AnyEntry) -> str:
    """Number, moment, kind, and what it says."""
    kind = str(type(entry).__struct_config__.tag)
    return f"{number:>6}  {entry.time[:16].replace('T', ' ')}  {kind:<14} {telling.short(_said(entry))}"


def details(entry: entries.AnyEntry, beside: Any, problem: str) -> Iterator[str]:
    """Everything else: the entry's own fields, then the object, or that it was erased."""
    values = msgspec.to_builtins(entry)
    for name in ("place", "policy", "facts", "results", "push", "object"):
        if values.get(name):
            yield printing.dim(f"        {name}: {values[name]}")
    if problem:
        yield f"        {printing.plain(problem)}"
    elif beside is not None:
        text = msgspec.json.format(msgspec.json.encode(beside, order="sorted")).decode()
        yield from (f"        {printing.plain(part)}" for part in text.splitlines())


def _said(entry: entries.AnyEntry) -> str:
    match entry:
        case entries.Judged():
            word = telling.told_as(entry.outcome == "allow")
            note = "" if entry.enforced else " (reported only)"
            why = f"  {', '.join(entry.codes)}" + (f" and {entry.more} more" if entry.more else "")
            return f"{word}{note}  {entry.head or 'deletion'} onto {_raw(entry.target)} of {entry.repository}{why}"
        case entries.Approved():
            return f"statement on {entry.head}"
        case entries.Refused():
            return f"{entry.code}" + ("" if entry.enforced else " (reported only)")
        case entries.Pushed():
            return f"{entry.updates} refs, {entry.commits} new commits" + ("" if entry.pusher else ", by nobody known")
        case entries.Baseline():
            return f"{entry.refs} refs were there"
        case entries.Landed() | entries.Moved():
            return f"{entry.refs} {_NAMES[str(type(entry).__struct_config__.tag)]}"
        case entries.Frozen():
            return f"{entry.freeze}" + (" (rehearsal)" if entry.rehearsal else ": all merges stopped")
        case entries.Lifted():
            return f"{entry.freeze}" + (": lifted" if entry.complete else ": one of two")
        case entries.Erasure():
            return f"{entry.objects} objects erased"
        case entries.Reconciliation():
            return f"went on from {entry.size} entries; the copy outside had {entry.seen}"


def _raw(ref: str) -> str:
    return to_bytes(ref).decode("utf-8", "replace")
