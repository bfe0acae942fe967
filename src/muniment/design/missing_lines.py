"""Lines that a design lacks for the code: applications, guards, tables, and routes without a guard."""

from collections.abc import Iterator, Mapping

from msgspec import Struct

from muniment.design.drafting import (
    draft_guards,
    draft_public,
    find_resources,
    name_guards,
    quote_toml,
    quote_toml_list,
)
from muniment.design.model import ComponentKind, DesignModel
from muniment.design.routes.registry import find_frameworks, read_routes
from muniment.design.routes.route import Route, RouteList
from muniment.design.routes.source_tree import SourceTree
from muniment.design.source_files import select_below


class MissingLines(Struct, frozen=True):
    """Lines to add to a design, and the names of the entries that they make."""

    lines: tuple[str, ...]
    names: tuple[str, ...]


def list_missing_lines(model: DesignModel, files: Mapping[str, str], written: str) -> MissingLines:
    """List the lines that a design lacks. `written` is its text: a route that is a comment there is not repeated.

    No line permits anything: a guard has no `on_failure`, and a route without a guard is a comment.
    """
    lists = [read_routes(each.framework, select_below(files, each.root)) for each in model.applications]
    new = [found for found in _read_other_applications(model, files) if found.routes]
    lines: list[str] = []
    names: list[str] = []
    for found in new:
        lines += ["", "[[application]]", f"framework = {quote_toml(found.framework)}"]
        names.append(f"application {found.framework}")
    routes = [route for each in (*lists, *new) for route in each.routes]
    tree = SourceTree(files)
    guards = _find_missing_guards(model, routes)
    lines += draft_guards(tree, guards)
    names += [f"guard {identifier}" for identifier in guards.values()]
    for name, properties in _find_missing_resources(model, tree):
        store = next(each.id for each in model.components if each.kind is ComponentKind.STORE)
        lines += ["", "[[resource]]", f"id = {quote_toml(name)}", f"component = {quote_toml(store)}"]
        lines += [f"properties = {quote_toml_list(properties)}"] if properties else []
        names.append(f"resource {name}")
    public = {(entry.route, entry.method) for entry in model.public_routes}
    bare = [route for route in routes if route.is_open and not _is_written(route, public, written)]
    lines += draft_public(bare)
    names += [f"comment on the route {route.name}" for route in bare]
    return MissingLines(tuple(lines), tuple(names))


def _read_other_applications(model: DesignModel, files: Mapping[str, str]) -> Iterator[RouteList]:
    known = {each.framework for each in model.applications}
    for name in find_frameworks(files):
        if name not in known:
            yield read_routes(name, files)


def _find_missing_guards(model: DesignModel, routes: list[Route]) -> dict[str, str]:
    """Identifiers of the guards of the code that no guard of the design names."""
    known = {name for guard in model.guards for name in guard.code}
    missing = {name: each for name, each in name_guards(routes).items() if name not in known}
    taken = {guard.id for guard in model.guards}
    return {name: _choose_identifier(identifier, taken) for name, identifier in missing.items()}


def _choose_identifier(wanted: str, taken: set[str]) -> str:
    """Identifier that is not taken, which is taken from now on."""
    identifier, number = wanted, 2
    while identifier in taken:
        identifier, number = f"{wanted}-{number}", number + 1
    taken.add(identifier)
    return identifier


def _find_missing_resources(model: DesignModel, tree: SourceTree) -> list[tuple[str, tuple[str, ...]]]:
    """Tables of the code that are no resource yet; none while the design has no store for them."""
    if not any(each.kind is ComponentKind.STORE for each in model.components):
        return []
    known = {each.id.lower() for each in model.resources}
    return [(name, properties) for name, properties in find_resources(tree) if name.lower() not in known]


def _is_written(route: Route, public: set[tuple[str, str]], written: str) -> bool:
    """Whether each method of a route is public, or stands in the design as a comment."""
    comment = f"# route = {quote_toml(route.pattern)}"
    return comment in written or all(
        {(route.pattern, method), (route.pattern, "*")} & public for method in route.methods
    )
