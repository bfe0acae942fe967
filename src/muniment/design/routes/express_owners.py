"""Applications and routers of Express, with what is registered at each in order."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tree_sitter import Node

from muniment.design.routes.route import Route, RouteGuard, join_patterns
from muniment.design.routes.script_tree import ScriptModule

_DEPTH = 12  # applications inside each other

OwnerKey = tuple[str, int]  # file, and the place of the expression that makes it


class ExpressEntry(NamedTuple):
    """Registration by one call at an application: guards for what follows, a route, or another application."""

    order: tuple[int, ...]
    pattern: str
    methods: tuple[str, ...]  # () for guards and applications
    guards: tuple[RouteGuard, ...]
    child: OwnerKey | None = None
    handler: str = ""
    where: str = ""
    switch: str = ""


class ExpressOwner:
    """Application or router, and what calls register at it."""

    def __init__(self, module: ScriptModule, node: Node, *, is_application: bool) -> None:
        self.key: OwnerKey = (module.path, node.start_byte)
        self.where = f"{module.path}:{node.start_point[0] + 1}"
        self.is_application = is_application
        self.is_mounted = False
        self.entries: list[ExpressEntry] = []


def walk_owner(
    owners: Mapping[OwnerKey, ExpressOwner],
    owner: ExpressOwner,
    prefix: str,
    outer: tuple[RouteGuard, ...],
    switch: str,
    depth: int,
) -> Iterator[Route]:
    """Routes of an application. A guard stands before what is registered after it, below its path."""
    if depth > _DEPTH:
        return
    standing: list[tuple[str, tuple[RouteGuard, ...]]] = []
    for entry in sorted(owner.entries, key=lambda entry: entry.order):
        before = tuple(guard for path, guards in standing if _is_below(entry.pattern, path) for guard in guards)
        guards = tuple(dict.fromkeys((*outer, *before, *entry.guards)))
        pattern = join_patterns(prefix, _as_path(entry.pattern)) if entry.pattern else prefix
        both = " and ".join(each for each in (switch, entry.switch) if each)
        if entry.child is not None:
            if entry.child != owner.key:
                yield from walk_owner(owners, owners[entry.child], pattern, guards, both, depth + 1)
        elif entry.methods:
            yield Route(join_patterns(pattern), entry.methods, entry.handler, entry.where, guards, both)
        elif not entry.switch:  # a guard behind a switch may be off
            standing.append((entry.pattern, entry.guards))
        else:
            maybe = tuple(RouteGuard(g.name, is_certain=False, version=g.version) for g in entry.guards)
            standing.append((entry.pattern, maybe))


def _as_path(pattern: str) -> str:
    return pattern if pattern.startswith("/") else f"/{pattern}"


def _is_below(pattern: str, path: str) -> bool:
    """Whether a guard at `path` stands before a route at `pattern`."""
    start = path.rstrip("*").rstrip("/")
    return not start or pattern == start or pattern.startswith(f"{start}/")
