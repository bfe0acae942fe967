"""Binds each clause to its control and reads the clause's `with` into that control's parameters."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from muniment.controls.control import Control
from muniment.errors import PolicyError
from muniment.policy.model import Clause, Policy
from muniment.policy.parameters import declared

_AT = re.compile(r" - at `\$\.?([^`]*)`$")


class BoundClause(Struct, frozen=True):
    """A clause with its control, and the control's parameters as its own struct.

    `control` is None for a clause without one, and for one whose control comes with part `later_part` (else 0).
    """

    clause: Clause
    control: Control | None
    parameters: Any
    later_part: int


class BoundPolicy(Struct, frozen=True):
    """A policy that can judge."""

    policy: Policy
    clauses: tuple[BoundClause, ...]


def bind(
    policy: Policy,
    controls: Mapping[str, Control],
    later: Mapping[str, int],
    where: str = "policy.toml",
    text: str = "",
) -> BoundPolicy:
    """The policy with its controls. Raises PolicyError for a control that nobody knows or a parameter that is wrong.

    `where` names the document, `text` is its content, for the line that an error names.
    """
    return BoundPolicy(policy, tuple(_bound(clause, controls, later, where, text) for clause in policy.clauses))


def _bound(
    clause: Clause, controls: Mapping[str, Control], later: Mapping[str, int], where: str, text: str
) -> BoundClause:
    if not clause.control or clause.control in later:
        return BoundClause(clause, None, None, later.get(clause.control, 0))
    control = controls.get(clause.control)
    if control is None:
        raise PolicyError(
            at_line(where, text, clause.id, "control"),
            f'clause "{clause.id}" control',
            f"expected the name of a control, found {clause.control!r}",
            f"Use one of: {', '.join((*controls, *later))}; or leave control out, and the clause shows as uncovered.",
        )
    try:
        parameters = msgspec.convert(clause.parameters, control.parameters, strict=True)
    except msgspec.ValidationError as error:
        raise _wrong_parameter(clause, control, str(error), where, text) from error
    return BoundClause(clause, control, parameters, 0)


def _wrong_parameter(clause: Clause, control: Control, problem: str, where: str, text: str) -> PolicyError:
    found = _AT.search(problem)
    name = found[1] if found else ""
    known = ", ".join(f"{p.name} ({p.unit})" for p in declared(control.parameters)) or "none"
    return PolicyError(
        at_line(where, text, clause.id, "with"),
        f'clause "{clause.id}" with{"." + name if name else ""}',
        _AT.sub("", problem),
        f"The parameters of {control.name} are: {known}.",
    )


def at_line(where: str, text: str, clause: str, key: str) -> str:
    """`where:line` of a key of a clause, or of the clause's id, or just `where` if neither can be found."""
    lines = text.splitlines()
    quoted = re.compile(rf"\s*id\s*=\s*['\"]{re.escape(clause)}['\"]\s*(#.*)?$")
    start = next((number for number, line in enumerate(lines) if quoted.match(line)), None)
    if start is None:
        return where
    first = max((n for n in range(start + 1) if lines[n].lstrip().startswith("[[")), default=start)
    for number in range(first, len(lines)):
        if number > first and lines[number].lstrip().startswith("[["):
            break
        if re.match(rf"\s*{key}\s*[=.]|\s*\[clause\.{key}\]", lines[number]):
            return f"{where}:{number + 1}"
    return f"{where}:{start + 1}"
