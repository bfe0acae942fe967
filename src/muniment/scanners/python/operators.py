"""Operators of Python, executed on concrete values with caps on their results."""

import ast
from collections.abc import Callable
from typing import Any

from muniment.scanners.python.operations import PLAIN
from muniment.scanners.python.paths import SplitAddress, join_paths
from muniment.scanners.python.patterns import CallMatch
from muniment.scanners.python.texts import contains, equals, format_percent, limit_size, multiply, power, shift_left
from muniment.scanners.python.values import Derived, UndecidedError, has_placeholder


def _build_operations() -> dict[type, Callable[[object, object], object]]:
    def concatenate(left: object, right: object) -> object:
        left = left.content if isinstance(left, Derived) else left
        right = right.content if isinstance(right, Derived) else right
        return limit_size(left + right)  # type: ignore[operator]

    def divide(left: object, right: object) -> object:
        if isinstance(left, str) or isinstance(right, str):
            return join_paths(left, right)  # pathlib
        return left / right  # type: ignore[operator]

    def remainder(left: object, right: object) -> object:
        if isinstance(left, str | bytes):
            return format_percent(left, right)
        return left % right  # type: ignore[operator]

    return {
        ast.Add: concatenate,
        ast.Sub: lambda left, right: left - right,  # type: ignore[operator]
        ast.Mult: multiply,
        ast.Div: divide,
        ast.FloorDiv: lambda left, right: left // right,  # type: ignore[operator]
        ast.Mod: remainder,
        ast.Pow: power,
        ast.LShift: shift_left,
        ast.RShift: lambda left, right: left >> right,  # type: ignore[operator]
        ast.BitOr: lambda left, right: left | right,  # type: ignore[operator]
        ast.BitAnd: lambda left, right: left & right,  # type: ignore[operator]
        ast.BitXor: lambda left, right: left ^ right,  # type: ignore[operator]
    }


OPERATIONS = _build_operations()
UNARY: dict[type, Callable[[Any], object]] = {
    ast.USub: lambda one: -one,
    ast.UAdd: lambda one: +one,
    ast.Invert: lambda one: ~one,
}


def compare_operands(operator: ast.cmpop, left: object, right: object) -> bool:
    """Compare two concrete values. Raises UndecidedError where an unknown part decides."""
    match operator:
        case ast.Eq():
            return equals(left, right)
        case ast.NotEq():
            return not equals(left, right)
        case ast.In():
            return contains(right, left)
        case ast.NotIn():
            return not contains(right, left)
        case ast.Is() | ast.IsNot():
            if isinstance(left, str) and has_placeholder(left):
                raise UndecidedError
            same = left is right or ((left is None) == (right is None) and equals(left, right))
            return same == isinstance(operator, ast.Is)
        case _:
            pass
    left = left.content if isinstance(left, Derived) else left
    right = right.content if isinstance(right, Derived) else right
    if has_placeholder(left) or has_placeholder(right):
        raise UndecidedError
    match operator:
        case ast.Lt():
            return bool(left < right)  # type: ignore[operator]
        case ast.LtE():
            return bool(left <= right)  # type: ignore[operator]
        case ast.Gt():
            return bool(left > right)  # type: ignore[operator]
        case _:
            return bool(left >= right)  # type: ignore[operator]


def join_parts(*parts: object) -> object:
    """Join the parts of an f-string."""
    return limit_size("".join(str(require_plain(part)) for part in parts))


def require_plain(one: object) -> object:
    """Return the plain content of a value. Raises UndecidedError for an object."""
    if isinstance(one, Derived):
        return one.content
    if isinstance(one, CallMatch | SplitAddress):
        return one.text
    if isinstance(one, (*PLAIN, list, tuple, dict)):
        return one
    raise UndecidedError


def require_answer(one: object) -> bool:
    """Return a truth value. Raises UndecidedError for anything else."""
    if not isinstance(one, bool):
        raise UndecidedError
    return one
