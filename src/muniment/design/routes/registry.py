"""Registry of frameworks whose routes can be read."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import PurePosixPath

from muniment.design.routes.django_routes import read_django_routes
from muniment.design.routes.express_routes import read_express_routes
from muniment.design.routes.fastapi_routes import read_fastapi_routes
from muniment.design.routes.flask_routes import read_flask_routes
from muniment.design.routes.openapi_list import OPENAPI, OPENAPI_NAMES, read_openapi_routes
from muniment.design.routes.route import RouteList, UnreadSource
from muniment.design.routes.script_tree import is_script
from muniment.design.routes.source_tree import SourceTree

ROUTE_READERS: Mapping[str, Callable[[Mapping[str, str]], RouteList]] = {
    "django": lambda files: read_django_routes(SourceTree(files)),
    "express": read_express_routes,
    "fastapi": lambda files: read_fastapi_routes(SourceTree(files)),
    "flask": lambda files: read_flask_routes(SourceTree(files)),
}
_EXPRESS = re.compile(r"""(?:from|require\()\s*["']express["']""")


def is_route_source(path: str) -> bool:
    """Whether routes may stand in a file with this name."""
    return path.endswith(".py") or PurePosixPath(path).name in OPENAPI_NAMES or is_script(path)


def read_routes(framework: str, files: Mapping[str, str]) -> RouteList:
    """Routes of the application of one framework in a project's files (path and text)."""
    return _read_once(framework, tuple(sorted(files.items())))


@lru_cache(maxsize=4)  # the base of a change was mostly read before
def _read_once(framework: str, listed: tuple[tuple[str, str], ...]) -> RouteList:
    files = dict(listed)
    if framework == OPENAPI:
        return read_openapi_routes(files)
    try:
        return ROUTE_READERS[framework](files)
    except RecursionError:
        # A name that is defined by itself in a way that no reader expects: all routes are unknown, none is guessed.
        return RouteList(framework, (), (UnreadSource(".", "names are defined by each other without end"),))


def find_frameworks(files: Mapping[str, str]) -> tuple[str, ...]:
    """Frameworks that the files import, as far as their routes can be read."""
    modules = {"django": ("django",), "fastapi": ("fastapi",), "flask": ("flask",)}
    code = [text for path, text in files.items() if path.endswith(".py")]
    found = tuple(
        name
        for name, imported in modules.items()
        if any(f"from {each}" in text or f"import {each}" in text for text in code for each in imported)
    )
    scripts = (text for path, text in files.items() if is_script(path))
    return (*found, "express") if any(_EXPRESS.search(text) for text in scripts) else found
