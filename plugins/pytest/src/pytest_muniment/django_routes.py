"""Routes of a Django project: its URL resolver, with the admin and Django REST framework."""

import re
from collections.abc import Iterator
from typing import Any

from pytest_muniment.frameworks import AppRoute, AppRoutes
from pytest_muniment.handlers import find_class_handlers, find_handler, is_library, is_own_class, name_handler

_METHODS = ("get", "post", "put", "patch", "delete")
_MOST_DEPTH = 30


def list_django_routes() -> AppRoutes:
    """Routes of ROOT_URLCONF. Django must be set up."""
    from django.urls import get_resolver

    unlisted: list[str] = []
    routes = tuple(_walk_patterns(get_resolver().url_patterns, (), unlisted))
    return AppRoutes(routes, tuple(unlisted))


def _walk_patterns(patterns: Any, before: tuple[Any, ...], unlisted: list[str]) -> Iterator[AppRoute]:
    if len(before) > _MOST_DEPTH:
        unlisted.append(f"{_write_pattern(before)}: patterns include themselves")
        return
    for entry in patterns:
        path = (*before, entry.pattern)
        if hasattr(entry, "url_patterns"):
            yield from _walk_patterns(entry.url_patterns, path, unlisted)
        elif getattr(entry, "callback", None) is not None:
            yield _make_route(entry.callback, path)
        else:
            unlisted.append(f"{_write_pattern(path)}: {type(entry).__name__} has no view")


def _write_pattern(patterns: tuple[Any, ...]) -> str:
    """Pattern as Muniment's parser writes it: a regular expression without ^ and $."""
    parts = []
    for pattern in patterns:
        text = str(pattern)
        if hasattr(pattern, "_regex"):
            text = text.removeprefix("^").removesuffix("$")
        parts.append(text)
    return "/" + "".join(parts).removeprefix("/")


def _make_route(view: Any, patterns: tuple[Any, ...]) -> AppRoute:
    methods, functions, own, name = _describe_view(view)
    parameters: dict[str, str] = {}
    template = "/"
    for pattern in patterns:
        part, kinds = _read_template(pattern)
        if part is None:
            template = ""
        elif template:
            template += part
        parameters.update(kinds)
    template = re.sub("^//+", "/", template)
    return AppRoute(_write_pattern(patterns), methods, name, functions, tuple(parameters.items()), template, own)


def _read_template(pattern: Any) -> tuple[str | None, dict[str, str]]:
    """Path of one pattern with `{name}` for each parameter; None if a regular expression gives no single path."""
    if hasattr(pattern, "_route"):
        kinds = {name: type(each).__name__ for name, each in pattern.converters.items()}
        return re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", str(pattern._route)), kinds
    if hasattr(pattern, "prefix_denormalized") or hasattr(pattern, "language_prefix"):
        return str(getattr(pattern, "language_prefix", "")), {}
    return _read_regular_expression(str(pattern))


def _read_regular_expression(text: str) -> tuple[str | None, dict[str, str]]:
    """Django's own reverse gives the paths of a regular expression; the first one is taken."""
    from django.utils.regex_helper import normalize

    try:
        path, names = normalize(text)[0]
    except (ValueError, IndexError):
        return None, {}
    for name in names:
        path = path.replace(f"%({name})s", f"{{{name}}}")
    return path.replace("%%", "%"), dict.fromkeys(names, "regex")


def _describe_view(view: Any) -> tuple[tuple[str, ...], tuple[tuple[str, Any], ...], bool, str]:
    """Methods, functions, whether it is the project's own, and name of a view."""
    operations = _find_ninja_operations(view)
    if operations:
        own = not all(is_library(function.__code__.co_filename) for _, function in operations)
        return tuple(sorted(method for method, _ in operations)), operations, own, name_handler(operations[0][1])
    view_class = getattr(view, "cls", None) or getattr(view, "view_class", None)
    if not isinstance(view_class, type):
        function = find_handler(view)
        own = function is None or not is_library(function.__code__.co_filename)
        return ("*",), (("*", function),) if function is not None else (), own, name_handler(view)
    actions = getattr(view, "actions", None)
    if actions:  # a viewset of Django REST framework
        names = {method.upper(): action for method, action in actions.items()}
        names = {method: name for method, name in names.items() if method not in ("HEAD", "OPTIONS")}
    else:
        offered = getattr(view_class, "http_method_names", _METHODS)
        names = {each.upper(): each for each in _METHODS if each in offered and hasattr(view_class, each)}
    functions = find_class_handlers(view_class, names)
    return tuple(sorted(names)), functions, is_own_class(view_class), name_handler(view_class)


def _find_ninja_operations(view: Any) -> tuple[tuple[str, Any], ...]:
    """Operations of Django Ninja behind a view, by their method; () for every other view."""
    while hasattr(view, "__wrapped__"):
        view = view.__wrapped__
    for cell in getattr(view, "__closure__", None) or ():
        try:
            holder = cell.cell_contents
        except ValueError:  # an empty cell
            continue
        operations = getattr(holder, "operations", None)
        if hasattr(holder, "get_view") and isinstance(operations, list):
            pairs = [(method, find_handler(each.view_func)) for each in operations for method in each.methods]
            return tuple((method, function) for method, function in pairs if function is not None)
    return ()
