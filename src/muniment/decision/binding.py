"""Binds each clause to its control and reads the clause's `with` into that control's parameters."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from muniment.controls.control import Control
from muniment.errors import PolicyError
from muniment.policy.document import place_of_clause
from muniment.policy.model import Clause, Policy
from muniment.policy.parameters import Declared, declared
from muniment.policy.reading import find_pattern_problem, shown

PATHS = "paths"  # the unit of a parameter that lists path patterns

_AT = re.compile(r" - at `\$[^`]*`$")
_WORDS = {"`int`": "a whole number", "`str`": "a text", "`bool`": "true or false", "`array`": "a list"}


class BoundClause(Struct, frozen=True):
    """A clause with its control, and the control's parameters as its own struct.

    `control` is None for a clause without one, and for one whose control this version does not have (`is_planned`).
    """

    clause: Clause
    control: Control | None
    parameters: Any
    is_planned: bool


class BoundPolicy(Struct, frozen=True):
    """Policy whose clauses have their controls."""

    policy: Policy
    clauses: tuple[BoundClause, ...]

    def __hash__(self) -> int:
        """By the policy's digest, so that what is made of two policies can be cached."""
        return hash(self.policy)


def bind(
    policy: Policy,
    controls: Mapping[str, Control],
    planned: Collection[str],
    where: str = "policy.toml",
    text: str = "",
) -> BoundPolicy:
    """The policy with its controls. Raises PolicyError for a control that nobody knows or a parameter that is wrong.

    `where` names the document, `text` is its content, for the line that an error names.
    """
    return BoundPolicy(policy, tuple(_bound(clause, controls, planned, where, text) for clause in policy.clauses))


def _bound(
    clause: Clause, controls: Mapping[str, Control], planned: Collection[str], where: str, text: str
) -> BoundClause:
    if not clause.control or clause.control in planned:
        return BoundClause(clause, None, None, bool(clause.control))
    control = controls.get(clause.control)
    if control is None:
        raise PolicyError(
            place_of_clause(where, text, clause.id, "control"),
            f'clause "{clause.id}" control',
            f"expected the name of a control, found {shown(clause.control)}",
            f"Use one of: {', '.join((*controls, *sorted(planned)))}; a clause without control is not evaluated.",
        )
    for name, problem in _problems(clause.parameters, control):
        raise PolicyError(
            place_of_clause(where, text, clause.id, "with", name),
            f'clause "{clause.id}" with.{name}',
            problem,
            f"The parameters of {control.name} are: {_known(control)}.",
        )
    return BoundClause(clause, control, msgspec.convert(clause.parameters, control.parameters), False)


def _problems(parameters: Mapping[str, Any], control: Control) -> Iterator[tuple[str, str]]:
    """(name, what is wrong) of each parameter that the control cannot take."""
    known = {parameter.name: parameter for parameter in declared(control.parameters)}
    for name, value in parameters.items():
        if name not in known:
            yield name, f'expected a parameter of {control.name}, found "{name}"'
        elif problem := _problem(known[name], value, control):
            yield name, problem


def _problem(parameter: Declared, value: Any, control: Control) -> str:
    try:
        msgspec.convert({parameter.name: value}, control.parameters)
    except msgspec.ValidationError as error:
        return f"{_in_words(str(error))}, found {shown(value)}"
    if parameter.unit == PATHS:
        problem = find_pattern_problem(value)
        return f"expected path patterns, found {problem}" if problem else ""
    return ""


def _in_words(problem: str) -> str:
    """Message of the decoder in plain words: ``Expected `int` >= 1`` becomes `expected a whole number >= 1`."""
    expected = _AT.sub("", problem).partition(", got ")[0]
    for code, words in _WORDS.items():
        expected = expected.replace(code, words)
    return expected[:1].lower() + expected[1:]


def _known(control: Control) -> str:
    """Every parameter with its default and its unit."""
    return "; ".join(f"{p.name} = {_toml(p.default)} ({p.unit})" for p in declared(control.parameters)) or "none"


def _toml(value: Any) -> str:
    return shown(list(value) if isinstance(value, tuple) else value)
