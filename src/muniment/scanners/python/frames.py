"""Activations of functions while the analysis runs, and the budget of their steps."""

import ast
from dataclasses import dataclass, field

from muniment.scanners.python.state import State
from muniment.scanners.python.values import AbstractValue, FunctionValue


class BudgetError(Exception):
    """The analysis of one entry point takes too many steps."""


@dataclass(slots=True)
class Frame:
    """Activation record of a function, class body or module."""

    module: str
    location: int
    symbol: str = ""
    function: FunctionValue | None = None
    depth: int = 0
    call_sites: tuple[tuple[str, ast.AST, str], ...] = ()
    returns: list[tuple[AbstractValue, State]] = field(default_factory=list)
    yields: list[AbstractValue] = field(default_factory=list)
    breaks: list[list[State]] = field(default_factory=list)
    continues: list[list[State]] = field(default_factory=list)
    raises: list[list[State]] = field(default_factory=list)
    outer_names: set[str] = field(default_factory=set)  # global and nonlocal
    entry: str = ""  # "response" where what is returned is sent to a browser
    handling: bool = False


def name_place(node: ast.AST) -> str:
    """Name an unknown value by its place in the code."""
    return f"value@{getattr(node, 'lineno', 0)}:{getattr(node, 'col_offset', 0)}"
