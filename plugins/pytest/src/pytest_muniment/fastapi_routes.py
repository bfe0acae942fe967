"""Routes of a FastAPI or Starlette application, with mounted applications."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pytest_muniment.frameworks import AppRoute, AppRoutes
from pytest_muniment.handlers import find_class_handlers, find_handler, is_library, name_handler
from pytest_muniment.openapi_examples import describe_request

_PARAMETER = re.compile(r"\{([A-Za-z_]\w*)(?::([A-Za-z_]\w*))?\}")


def list_fastapi_routes(application: Any) -> AppRoutes:
    """Routes of an application and of the applications mounted in it."""
    unlisted: list[str] = []
    routes = _walk_routes(application.routes, "", unlisted)
    descriptions = dict(_find_descriptions(application, ""))
    return AppRoutes(tuple(_add_examples(route, descriptions) for route in routes), tuple(unlisted))


def _find_descriptions(application: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """OpenAPI description of an application and of each mounted one, by its prefix."""
    if hasattr(application, "openapi"):
        yield prefix, application.openapi()
    for route in getattr(application, "routes", ()):
        mounted = getattr(route, "app", None)
        if hasattr(mounted, "openapi"):
            yield from _find_descriptions(mounted, prefix + route.path)


def _add_examples(route: AppRoute, descriptions: dict[str, Any]) -> AppRoute:
    prefixes = [prefix for prefix in descriptions if route.template.startswith(prefix)]
    if not prefixes:
        return route
    prefix = max(prefixes, key=len)
    path = route.template.removeprefix(prefix)
    examples = [(method, *describe_request(descriptions[prefix], path, method)) for method in route.methods]
    return replace(route, examples=tuple(each for each in examples if each[1] or each[2]))


def _walk_routes(routes: Any, prefix: str, unlisted: list[str]) -> Iterator[AppRoute]:
    for route in routes:
        if hasattr(route, "effective_candidates"):  # FastAPI's form of an included router since 0.140
            included = [getattr(each, "starlette_route", None) or each for each in route.effective_candidates()]
            yield from _walk_routes(included, prefix, unlisted)
            continue
        path = getattr(route, "path", None)
        inner = _get_inner_routes(route)
        if path is None and inner is None:
            unlisted.append(f"{prefix or '/'}: {type(route).__name__} has no path")
        elif inner is not None:
            yield from _walk_routes(inner, prefix + (path or ""), unlisted)
        elif hasattr(route, "methods") and hasattr(route, "endpoint"):
            yield _make_route(route, prefix)
        elif hasattr(route, "app") and not hasattr(route, "endpoint"):
            yield from _list_mounted(route, prefix + (path or ""), unlisted)
        else:
            unlisted.append(f"{prefix}{path}: {type(route).__name__} is not an HTTP route; it is not tested")


def _get_inner_routes(route: Any) -> Any:
    """Routes inside a mount or an included router; None for a route."""
    if hasattr(route, "endpoint"):
        return None
    inner = getattr(getattr(route, "app", None), "routes", None)
    return inner or getattr(route, "routes", None) or None


def _list_mounted(route: Any, path: str, unlisted: list[str]) -> Iterator[AppRoute]:
    """A mounted application without a list of routes, such as a folder of files, is one route for everything below."""
    function = find_handler(route.app)
    if function is None:
        unlisted.append(f"{path}: the mounted {type(route.app).__name__} has no routes")
        return
    name = name_handler(type(route.app))
    own = not is_library(function.__code__.co_filename)
    yield AppRoute(f"{path}/{{path}}", ("*",), name, (("*", function),), (("path", "path"),), f"{path}/{{path}}", own)


def _make_route(route: Any, prefix: str) -> AppRoute:
    methods = tuple(sorted(route.methods or ()))
    if "GET" in methods and "HEAD" in methods:  # Starlette adds HEAD to GET by itself
        methods = tuple(method for method in methods if method != "HEAD")
    endpoint = route.endpoint
    if isinstance(endpoint, type):
        names = {method: method for method in ("get", "post", "put", "patch", "delete") if hasattr(endpoint, method)}
        functions = tuple((key.upper(), function) for key, function in find_class_handlers(endpoint, names))
        methods = methods or tuple(sorted(method.upper() for method in names))
        own = True
    else:
        function = find_handler(endpoint)
        functions = (("*", function),) if function is not None else ()
        own = function is None or not is_library(function.__code__.co_filename)
    pattern = prefix + route.path
    parameters = tuple((name, kind or "str") for name, kind in _PARAMETER.findall(pattern))
    template = _PARAMETER.sub(r"{\1}", pattern)
    return AppRoute(pattern, methods, name_handler(endpoint), functions, parameters, template, own)
