"""Binds each clause to its control and reads the clause's `with` into that control's parameters."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from muniment.controls.control import Control
from muniment.errors import PolicyError
from muniment.policy.document import locate_clause
from muniment.policy.model import Clause, Policy
from muniment.policy.parameters import ParameterDeclaration, list_declarations
from muniment.policy.toml_reading import find_pattern_problem, quote_value

PATHS = "paths"  # the unit of a parameter that lists path patterns

_AT = re.compile(r" - at `\$[^`]*`$")
_WORDS = {"`int`": "a whole number", "`str`": "a text", "`bool`": "true or false", "`array`": "a list"}


class BoundClause(Struct, frozen=True):
    """Clause with its control, and the control's parameters as its own struct.

    `control` is None for a clause without one, for one whose control this version does not have yet (`is_planned`),
    and for one that this version cannot evaluate (`problem`, else "").
    """

    clause: Clause
    control: Control | None
    parameters: Any
    is_planned: bool
    problem: str = ""


class BoundPolicy(Struct, frozen=True):
    """Policy whose clauses have their controls."""

    policy: Policy
    clauses: tuple[BoundClause, ...]

    def __hash__(self) -> int:
        """Hash of the policy's digest, so that results for two policies can be cached."""
        return hash(self.policy)

    @property
    def clause_problems(self) -> dict[str, str]:
        """What this version cannot evaluate, by the id of its clause."""
        return {bound.clause.id: bound.problem for bound in self.clauses if bound.problem}


def bind_clauses(
    policy: Policy,
    controls: Mapping[str, Control],
    planned: Collection[str],
    where: str = "policy.toml",
    text: str = "",
) -> BoundPolicy:
    """Bind each clause of a policy to its control. Raises PolicyError for an unknown control or a wrong parameter.

    `where` names the document, `text` is its content, for the line that an error names.
    """
    return BoundPolicy(policy, tuple(_bind_clause(clause, controls, planned, where, text) for clause in policy.clauses))


def bind_known_clauses(policy: Policy, controls: Mapping[str, Control], planned: Collection[str]) -> BoundPolicy:
    """Bind the clauses of a policy that is in force already; one that cannot be bound is kept with its `problem`.

    Such a clause is unknown wherever it is evaluated.
    """
    return BoundPolicy(policy, tuple(_bind_if_known(clause, controls, planned) for clause in policy.clauses))


def _bind_if_known(clause: Clause, controls: Mapping[str, Control], planned: Collection[str]) -> BoundClause:
    try:
        return _bind_clause(clause, controls, planned, "", "")
    except PolicyError as error:
        return BoundClause(clause, None, None, False, f"{error.key}: {error.problem}")


def _bind_clause(
    clause: Clause, controls: Mapping[str, Control], planned: Collection[str], where: str, text: str
) -> BoundClause:
    if not clause.control or clause.control in planned:
        return BoundClause(clause, None, None, bool(clause.control))
    control = controls.get(clause.control)
    if control is None:
        raise PolicyError(
            locate_clause(where, text, clause.id, "control"),
            f'clause "{clause.id}" control',
            f"expected the name of a control, found {quote_value(clause.control)}",
            f"Use one of: {', '.join((*controls, *sorted(planned)))}; a clause without control is not evaluated.",
        )
    for name, problem in _find_problems(clause.parameters, control):
        raise PolicyError(
            locate_clause(where, text, clause.id, "with", name),
            f'clause "{clause.id}" with.{name}',
            problem,
            f"The parameters of {control.name} are: {_describe_parameters(control)}.",
        )
    return BoundClause(clause, control, msgspec.convert(clause.parameters, control.parameters), False)


def _find_problems(parameters: Mapping[str, object], control: Control) -> Iterator[tuple[str, str]]:
    """(name, problem) of each parameter that the control cannot take."""
    known = {parameter.name: parameter for parameter in list_declarations(control.parameters)}
    for name, value in parameters.items():
        if name not in known:
            yield name, f'expected a parameter of {control.name}, found "{name}"'
        elif problem := _find_problem(known[name], value, control):
            yield name, problem


def _find_problem(parameter: ParameterDeclaration, value: Any, control: Control) -> str:
    try:
        msgspec.convert({parameter.name: value}, control.parameters)
    except msgspec.ValidationError as error:
        return f"{_translate_problem(str(error))}, found {quote_value(value)}"
    if parameter.unit == PATHS:
        problem = find_pattern_problem(value)
        return f"expected path patterns, found {problem}" if problem else ""
    return ""


def _translate_problem(problem: str) -> str:
    """Message of the decoder in plain words: ``Expected `int` >= 1`` becomes `expected a whole number >= 1`."""
    expected = _AT.sub("", problem).partition(", got ")[0]
    for code, words in _WORDS.items():
        expected = expected.replace(code, words)
    return expected[:1].lower() + expected[1:]


def _describe_parameters(control: Control) -> str:
    """Describe every parameter with its default and its unit."""
    return (
        "; ".join(f"{p.name} = {_format_toml(p.default)} ({p.unit})" for p in list_declarations(control.parameters))
        or "none"
    )


def _format_toml(value: Any) -> str:
    return quote_value(list(value) if isinstance(value, tuple) else value)
