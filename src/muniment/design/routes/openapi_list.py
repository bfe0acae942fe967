"""Routes of a program in any language, from a description in the form of OpenAPI 3 as JSON.

An operation is guarded if each of its security requirements names a scheme. An empty requirement lets everybody in.
"""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import msgspec

from muniment.design.routes.route import Route, RouteGuard, RouteList, UnreadSource

OPENAPI = "openapi"
OPENAPI_NAMES = frozenset({"openapi.json", "swagger.json"})
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_MOST_CHARACTERS = 4_000_000


def read_openapi_routes(files: Mapping[str, str]) -> RouteList:
    """Routes of all descriptions among the files. They are unknown without one, or in one of another form."""
    routes: list[Route] = []
    unread: list[UnreadSource] = []
    found = {path: text for path, text in files.items() if PurePosixPath(path).name in OPENAPI_NAMES}
    if not found:
        names = " or ".join(sorted(OPENAPI_NAMES))
        unread.append(UnreadSource(".", f"there is no file {names}"))
    for path, text in sorted(found.items()):
        try:
            routes += _read_description(path, text)
        except (msgspec.MsgspecError, _FormError, RecursionError) as error:
            unread.append(UnreadSource(path, f"it is no description in the form of OpenAPI 3 ({error})"))
    return RouteList(OPENAPI, tuple(routes), tuple(unread))


class _FormError(ValueError):
    """A description has another form; the text says where."""


def _read_description(path: str, text: str) -> Iterator[Route]:
    if len(text) > _MOST_CHARACTERS:
        raise _FormError("it is too large")
    given = _require_table(msgspec.json.decode(text.encode()), "the file")
    common = given.get("security", [])
    for pattern, entry in _require_table(given.get("paths"), "paths").items():
        operations = _require_table(entry, pattern)
        if "$ref" in operations:
            raise _FormError(f"{pattern} is in another file")
        for method in _METHODS:
            if method in operations:
                name = f"{method.upper()} {pattern}"
                operation = _require_table(operations[method], name)
                guards = _read_guards(operation.get("security", common), name)
                handler = operation.get("operationId")
                yield Route(pattern, (method.upper(),), handler if isinstance(handler, str) else name, path, guards)


def _read_guards(given: object, name: str) -> tuple[RouteGuard, ...]:
    """Guards of an operation: an attacker takes the weakest of its requirements, so only common schemes are certain."""
    if not isinstance(given, list):
        raise _FormError(f"security of {name} is no list")
    requirements = [frozenset(_require_table(each, f"security of {name}")) for each in given]
    if not requirements or not all(requirements):
        return ()
    if len(requirements) == 1:
        return tuple(RouteGuard(scheme) for scheme in sorted(requirements[0]))
    # Each way in asks for some scheme: together they are one guard that always stands there.
    return (RouteGuard(" or ".join(" and ".join(sorted(each)) for each in requirements)),)


def _require_table(given: object, what: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise _FormError(f"{what} is no table")
    return given
