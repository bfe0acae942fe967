"""Reference of the kinds of record: `python -m dev.generate` writes it to docs/reference/record-kinds.md."""

import typing

from msgspec import structs

from muniment.ledger import record_kinds
from muniment.ledger.writers import WRITERS

_NAMES = {"web": "web", "worker": "worker", "server-hook": "server hook, in its own log"}
_COMMON = {field.name for field in structs.fields(record_kinds.Entry)}
_HEAD = """# Record kinds

{note}
A record is one entry of [the ledger](ledger.md): canonical JSON of at most 4 KiB, with codes, digests and commitments
alone. Each kind has one writer: PostgreSQL and the sequencer refuse it from any other process.
[Add a record kind](../guides/add-a-record-kind.md) lists the steps.

Every record has `version`, `time` (RFC 3339, UTC) and `object`, the digest of its stored object, or empty.
"""


def describe_records(note: str, kinds: tuple[type[record_kinds.Entry], ...] | None = None) -> str:
    """The whole document; `note` says how it is made."""
    found = typing.get_args(record_kinds.AnyEntry) if kinds is None else kinds
    return "\n".join([_HEAD.format(note=note), *map(_describe, sorted(found, key=_tag))])


def _tag(kind: type[record_kinds.Entry]) -> str:
    return str(kind.__struct_config__.tag)


def _describe(kind: type[record_kinds.Entry]) -> str:
    writer = WRITERS.get(_tag(kind), "")
    text = " ".join((kind.__doc__ or "").split())
    shared = kind.__mro__[1]
    lines = [f"## `{_tag(kind)}`\n", text]
    if shared is not record_kinds.Entry and shared.__doc__:
        lines.append(" ".join(shared.__doc__.split()))
    fields = ", ".join(f"`{field.name}`" for field in structs.fields(kind) if field.name not in _COMMON)
    return "\n".join([*lines, "", f"- written by: {_NAMES.get(writer, writer)}", f"- fields: {fields or 'none'}", ""])
