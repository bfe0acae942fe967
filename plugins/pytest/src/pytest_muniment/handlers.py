"""Finds the function of a handler below its decorators."""

import functools
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

from pytest_muniment.interception import get_function

_LIBRARIES = tuple(
    str(Path(path).resolve())
    for name, path in sysconfig.get_paths().items()
    if name in ("stdlib", "purelib", "platlib")
)
_MOST_DECORATORS = 50


def is_library(file: str) -> bool:
    """Whether a file belongs to Python or an installed package."""
    return str(Path(file).resolve()).startswith(_LIBRARIES) or file.startswith("<")


def find_handler(view: object) -> FunctionType | None:
    """The innermost function of a view: below decorators, partials and bound methods. None if it cannot be told."""
    for _ in range(_MOST_DECORATORS):
        wrapped = getattr(view, "__wrapped__", None)
        if wrapped is not None:
            view = wrapped
            continue
        function = get_function(view)
        if function is None:
            call = getattr(type(view), "__call__", None)  # noqa: B004 -- the function itself, not whether it is callable
            function = get_function(call)
            if function is None or not callable(view):
                return None
        below = _find_in_closure(function)
        if below is None:
            return None
        if below is function:
            return function
        view = below
    return None


def _find_in_closure(function: FunctionType) -> FunctionType | None:
    """The function that a decorator without `functools.wraps` calls; `function` itself if it is no decorator's.

    None if it has several functions of the project: any of them may be the handler.
    """
    if "<locals>" not in function.__code__.co_qualname:
        return function
    found = {}
    for cell in function.__closure__ or ():
        try:
            value = cell.cell_contents
        except ValueError:  # an empty cell
            continue
        inner = get_function(value)
        if inner is not None and not is_library(inner.__code__.co_filename) and inner is not function:
            found[id(inner)] = inner
    if not found:
        return function
    return next(iter(found.values())) if len(found) == 1 else None


def find_class_handlers(view_class: type, methods: dict[str, str]) -> tuple[tuple[str, FunctionType], ...]:
    """Functions of a class-based view: `methods` gives the method of the class for each HTTP method."""
    found = []
    for method, name in methods.items():
        function = find_handler(_get_static(view_class, name))
        if function is not None:
            found.append((method, function))
    return tuple(found)


def _get_static(view_class: type, name: str) -> Any:
    for each in view_class.__mro__:
        if name in vars(each):
            return vars(each)[name]
    return None


def name_handler(view: Callable[..., Any] | object) -> str:
    """Name of a handler for people."""
    while isinstance(view, functools.partial):
        view = view.func
    module = getattr(view, "__module__", "")
    return f"{module}.{getattr(view, '__qualname__', type(view).__qualname__)}"


def is_own_class(view_class: type) -> bool:
    """Whether a class was written in the project."""
    file = getattr(sys.modules.get(view_class.__module__), "__file__", None)
    return file is not None and not is_library(file)
