"""Registry of frameworks whose routes can be read."""

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from muniment.design.routes.django_routes import read_django_routes
from muniment.design.routes.fastapi_routes import read_fastapi_routes
from muniment.design.routes.flask_routes import read_flask_routes
from muniment.design.routes.openapi_list import OPENAPI, OPENAPI_NAMES, read_openapi_routes
from muniment.design.routes.route import RouteList, UnreadSource
from muniment.design.routes.source_tree import SourceTree

ROUTE_READERS: Mapping[str, Callable[[SourceTree], RouteList]] = {
    "django": read_django_routes,
    "fastapi": read_fastapi_routes,
    "flask": read_flask_routes,
}


def is_route_source(path: str) -> bool:
    """Whether routes may stand in a file with this name."""
    return path.endswith(".py") or PurePosixPath(path).name in OPENAPI_NAMES


def read_routes(framework: str, files: Mapping[str, str]) -> RouteList:
    """Routes of the application of one framework in a project's files (path and text)."""
    if framework == OPENAPI:
        return read_openapi_routes(files)
    try:
        return ROUTE_READERS[framework](SourceTree(files))
    except RecursionError:
        # A name that is defined by itself in a way that no reader expects: all routes are unknown, none is guessed.
        return RouteList(framework, (), (UnreadSource(".", "names are defined by each other without end"),))


def find_frameworks(files: Mapping[str, str]) -> tuple[str, ...]:
    """Frameworks that the files import, as far as their routes can be read."""
    modules = {"django": ("django",), "fastapi": ("fastapi",), "flask": ("flask",)}
    return tuple(
        name
        for name, imported in modules.items()
        if any(f"from {each}" in text or f"import {each}" in text for text in files.values() for each in imported)
    )
