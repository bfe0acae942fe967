"""Replaces one clause in the text of a policy; all other lines, and every comment, stay."""

import datetime
from typing import Any

from msgspec import structs

from muniment.errors import PolicyError
from muniment.policy.built_in_policy import escape_toml
from muniment.policy.document import parse_policy
from muniment.policy.model import Clause
from muniment.policy.toml_lines import find_table_lines, list_comments


def replace_clause(text: str, clause: Clause, where: str) -> str:
    """Replace the clause that has the same id. Comments within it come to its top.

    Raises PolicyError for an invalid text or clause, for an id that the policy does not have, and for a text whose
    form does not let one clause be replaced alone.
    """
    old = parse_policy(text, where)
    numbers = {one.id: number for number, one in enumerate(old.clauses)}
    found = find_table_lines(text, ("clause", numbers[clause.id])) if clause.id in numbers else None
    if found is None:
        raise _make_form_error(where, clause.id)
    first, last = found
    lines = text.split("\n")
    comments = [comment for line, comment in list_comments(text) if first <= line <= last]
    changed = "\n".join([*lines[: first - 1], *_format_clause(clause, comments), *lines[last:]])
    expected = tuple(clause if one.id == clause.id else one for one in old.clauses)
    if parse_policy(changed, where) != structs.replace(old, clauses=expected):
        raise _make_form_error(where, clause.id)  # such as a clause whose lines are not together
    return changed


def _make_form_error(where: str, clause: str) -> PolicyError:
    return PolicyError(
        where,
        f'clause "{clause}"',
        "expected a clause that begins with [[clause]] and whose lines are together",
        "Change it in the text of the policy.",
    )


def _format_clause(clause: Clause, comments: list[str]) -> list[str]:
    entries: dict[str, object] = {
        "id": clause.id,
        "name": clause.name,
        "section": clause.section,
        "text": clause.text,
        "control": clause.control,
        "enforce": list(clause.enforce),
        "branches": list(clause.branches),
        "paths": list(clause.paths),
        "monitoring_until": clause.monitoring_until,
        "owner": clause.owner,
    }
    present = {name: value for name, value in entries.items() if value or name in ("id", "enforce")}
    found = ["[[clause]]", *comments, *_format_entries(present)]
    if clause.parameters:
        found += ["[clause.with]", *_format_entries(clause.parameters)]
    return found


def _format_entries(entries: dict[str, object]) -> list[str]:
    return [f"{name} = {_format_value(value)}" for name, value in entries.items()]


def _format_value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case datetime.date():
            return value.isoformat()
        case list() | tuple():
            return f"[{', '.join(map(_format_value, value))}]"
        case _:
            return f'"{escape_toml(str(value))}"'
