"""Relation, path and scope of each package of a lock, from the requirements that the lock records."""

from collections import deque
from collections.abc import Iterable, Mapping

from msgspec import Struct

from muniment.updates.dependencies import Relation

_LONGEST_PATH = 64  # names; a longer path helps nobody, and a chain of n packages would need n * n names


class Root(Struct, frozen=True):
    """Direct dependencies of one member of a workspace, as keys of packages."""

    name: str
    production: tuple[str, ...]
    development: tuple[str, ...] = ()


class DependencyPath(Struct, frozen=True):
    """Position of a package: `path` as in `Dependency`."""

    relation: Relation
    path: tuple[str, ...]
    development: bool


NOT_REACHED = DependencyPath(Relation.UNKNOWN, (), False)


def find_reaches(
    roots: Iterable[Root], edges: Mapping[str, Iterable[str]], names: Mapping[str, str]
) -> dict[str, DependencyPath]:
    """Shortest path to each package that a root reaches, through production dependencies where there is one.

    `names` has the name of each package by its key. Packages that no root reaches are left out.
    """
    roots = tuple(roots)
    reaches: dict[str, DependencyPath] = {}
    for development in (False, True):
        _walk(_list_direct(roots, names, development), edges, names, reaches, development)
    for development in (True, False):  # a package that is both is direct, whatever reached it first
        for key, root in _list_direct(roots, names, development):
            known = reaches[key].development
            reaches[key] = DependencyPath(Relation.DIRECT, (root, names[key]), known and development)
    return reaches


def _list_direct(roots: tuple[Root, ...], names: Mapping[str, str], development: bool) -> list[tuple[str, str]]:
    """Keys of direct dependencies, each with the name of its root."""
    return [
        (key, root.name)
        for root in roots
        for key in (root.development if development else root.production)
        if key in names
    ]


def _walk(
    direct: list[tuple[str, str]],
    edges: Mapping[str, Iterable[str]],
    names: Mapping[str, str],
    reaches: dict[str, DependencyPath],
    development: bool,
) -> None:
    queue: deque[str] = deque()
    for key, root in direct:
        if key not in reaches:
            reaches[key] = DependencyPath(Relation.DIRECT, (root, names[key]), development)
            queue.append(key)
    while queue:
        key = queue.popleft()
        path = reaches[key].path
        for target in edges.get(key, ()):
            if target in names and target not in reaches:
                longer = (*path, names[target]) if len(path) < _LONGEST_PATH else path
                reaches[target] = DependencyPath(Relation.TRANSITIVE, longer, development)
                queue.append(target)
