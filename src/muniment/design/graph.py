"""Graph of a design: who can call whom, with the guards and mechanisms on each way.

A path begins at an actor from outside and follows flows. A guard on a flow must be passed with that flow. Sets of
guards and of mechanisms are bit masks: bit i is the i-th entry of `guards` or `mechanisms`.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from muniment.design.model import DesignModel

EXACT_MECHANISMS = 16  # up to this number the search is exact: it distinguishes 2**16 sets
_ROOT = 0


class Edge(NamedTuple):
    """Step from a node to the next. `flow` is its number in the design, -1 for the step to a resource."""

    source: int
    target: int
    guards: int
    mechanisms: int


class AttackPath(NamedTuple):
    """Path from an actor to a resource: the names of its nodes, and the guards on it in order."""

    nodes: tuple[str, ...]
    guards: tuple[str, ...] = ()


class LayerCount(NamedTuple):
    """Least number of distinct mechanisms on any path to a node. Not exact: it is a lower bound, with no path."""

    least: int
    is_exact: bool
    mechanisms: tuple[str, ...]
    path: AttackPath | None


class DesignGraph:
    """Nodes by number (0 stands before all actors from outside), and the edges that leave each."""

    def __init__(self, model: DesignModel) -> None:
        self.names = ["outside"]
        self.guards = [guard.id for guard in model.guards]
        self.mechanisms = sorted({name for guard in model.guards for name in guard.mechanisms})
        self.edges: list[list[Edge]] = [[]]
        self.missing_interfaces: list[tuple[int, str]] = []  # node with a flow to an interface that nobody offers
        self._numbers: dict[tuple[str, str], int] = {}
        self._guard_bits = {name: 1 << bit for bit, name in enumerate(self.guards)}
        mechanism_bits = {name: 1 << bit for bit, name in enumerate(self.mechanisms)}
        self._guard_mechanisms = {
            guard.id: sum(mechanism_bits[name] for name in frozenset(guard.mechanisms)) for guard in model.guards
        }
        for kind, names in (
            ("place", [actor.id for actor in model.actors]),
            ("place", [component.id for component in model.components]),
            ("resource", [resource.id for resource in model.resources]),
        ):
            for name in names:
                self._numbers.setdefault((kind, name), len(self.names))
                if self._numbers[kind, name] == len(self.names):
                    self.names.append(name)
                    self.edges.append([])
        self._add_edges(model)

    def _add_edges(self, model: DesignModel) -> None:
        offered: dict[str, list[str]] = {}
        for interface in model.interfaces:
            offered.setdefault(interface.id, []).append(interface.component)
        for actor in model.actors:
            if actor.outside:
                self._add_edge(_ROOT, self._numbers["place", actor.id], ())
        for flow in model.flows:
            source = self._numbers["place", flow.source]
            if flow.interface and flow.interface not in offered:
                self.missing_interfaces.append((source, flow.interface))
            for target in offered.get(flow.interface, ()) if flow.interface else (flow.target,):
                number = self._numbers.get(("place", target))
                if number is None:
                    number = self._numbers["resource", target]
                self._add_edge(source, number, flow.guards)
        for resource in model.resources:
            source = self._numbers["place", resource.component]
            self._add_edge(source, self._numbers["resource", resource.id], resource.guards)

    def _add_edge(self, source: int, target: int, guards: Iterable[str]) -> None:
        names = frozenset(guards)
        guard_mask = mechanism_mask = 0
        for name in names:
            guard_mask |= self._guard_bits[name]
            mechanism_mask |= self._guard_mechanisms[name]
        self.edges[source].append(Edge(source, target, guard_mask, mechanism_mask))

    def resource_node(self, resource: str) -> int:
        """Number of the node of a resource."""
        return self._numbers["resource", resource]

    def guard_names(self, mask: int) -> tuple[str, ...]:
        """Names of the guards in a set, in the order of the design."""
        return tuple(name for bit, name in enumerate(self.guards) if mask >> bit & 1)

    def mechanism_names(self, mask: int) -> tuple[str, ...]:
        """Names of the mechanisms in a set, sorted."""
        return tuple(name for bit, name in enumerate(self.mechanisms) if mask >> bit & 1)

    def guard_mask(self, names: Iterable[str]) -> int:
        """Set of guards from their names."""
        return sum(self._guard_bits[name] for name in frozenset(names))

    def build_path(self, edges: list[Edge]) -> AttackPath:
        """Path of consecutive edges that begin at the root, which is left out."""
        nodes = tuple(self.names[edge.target] for edge in edges)
        guards = tuple(name for edge in edges for name in self.guard_names(edge.guards))
        return AttackPath(nodes, guards)


class Reachability:
    """Nodes that are reached from outside over the edges that `is_open` lets through, with a shortest path to each."""

    def __init__(self, graph: DesignGraph, is_open: Callable[[Edge], bool]) -> None:
        self._graph = graph
        self._arrived_by: dict[int, Edge | None] = {_ROOT: None}
        waiting = deque([_ROOT])
        while waiting:
            for edge in graph.edges[waiting.popleft()]:
                if edge.target not in self._arrived_by and is_open(edge):
                    self._arrived_by[edge.target] = edge
                    waiting.append(edge.target)

    def reaches(self, node: int) -> bool:
        """Whether an open path leads to the node."""
        return node in self._arrived_by

    def find_path(self, node: int) -> AttackPath | None:
        """Shortest open path to the node; None if there is none."""
        if node not in self._arrived_by:
            return None
        edges: list[Edge] = []
        edge = self._arrived_by[node]
        while edge is not None:
            edges.append(edge)
            edge = self._arrived_by[edge.source]
        return self._graph.build_path(edges[::-1])


def find_required(graph: DesignGraph, label: Callable[[Edge], int]) -> dict[int, int]:
    """For each node that can be reached from outside: the labels that lie on every path to it, as a set.

    The meet over all paths, computed as the greatest fixed point: labels only join along a path and only meet where
    paths join, so both are equal. With guards as labels these are the choke points (they dominate the node).
    """
    required = {_ROOT: 0}
    waiting = deque([_ROOT])
    while waiting:
        node = waiting.popleft()
        for edge in graph.edges[node]:
            arriving = required[node] | label(edge)
            known = required.get(edge.target)
            met = arriving if known is None else known & arriving
            if met != known:
                required[edge.target] = met
                waiting.append(edge.target)
    return required


def count_layers(graph: DesignGraph, targets: Iterable[int]) -> dict[int, LayerCount]:
    """Least number of distinct mechanisms on any path to each target that can be reached.

    Exact with up to EXACT_MECHANISMS mechanisms; else a lower bound.
    """
    anything = Reachability(graph, lambda _: True)
    reachable = [target for target in targets if anything.reaches(target)]
    if len(graph.mechanisms) > EXACT_MECHANISMS:
        return _bound_layers(graph, reachable)
    return _search_layers(graph, reachable)


def _bound_layers(graph: DesignGraph, targets: list[int]) -> dict[int, LayerCount]:
    """Lower bounds: mechanisms on every path, and the widest edge that every path has.

    An open path is exact: its count is 0.
    """
    required = find_required(graph, lambda edge: edge.mechanisms)
    widest = _bottlenecks(graph)
    opened = Reachability(graph, lambda edge: not edge.mechanisms)
    counts: dict[int, LayerCount] = {}
    for target in targets:
        path = opened.find_path(target)
        if path is not None:
            counts[target] = LayerCount(0, True, (), path)
        else:
            bound = max(required[target].bit_count(), widest[target])
            counts[target] = LayerCount(bound, False, (), None)
    return counts


def _bottlenecks(graph: DesignGraph) -> dict[int, int]:
    """For each node the least w such that some path to it has only edges with at most w mechanisms."""
    widths: dict[int, int] = {}
    levels: dict[int, list[int]] = {0: [_ROOT]}
    for width in range(len(graph.mechanisms) + 1):
        waiting = levels.pop(width, [])
        while waiting:
            node = waiting.pop()
            if node in widths:
                continue
            widths[node] = width
            for edge in graph.edges[node]:
                size = edge.mechanisms.bit_count()
                if size <= width:
                    waiting.append(edge.target)
                else:
                    levels.setdefault(size, []).append(edge.target)
    return widths


class _State(NamedTuple):
    """Node that is reached with a set of defeated mechanisms, and how it was reached."""

    node: int
    defeated: int
    edge: Edge | None
    before: "_State | None"


def _search_layers(graph: DesignGraph, targets: list[int]) -> dict[int, LayerCount]:
    """Search by growing number of defeated mechanisms. A set is dropped where a subset of it has arrived before."""
    waiting_for = set(targets)
    useful = _find_useful_nodes(graph, waiting_for)
    settled: list[list[int]] = [[] for _ in graph.names]
    levels: list[list[_State]] = [[] for _ in range(len(graph.mechanisms) + 1)]
    levels[0].append(_State(_ROOT, 0, None, None))
    counts: dict[int, LayerCount] = {}
    for count, level in enumerate(levels):
        while level and waiting_for:
            state = level.pop()
            node, defeated = state.node, state.defeated
            if _has_subset(settled[node], defeated):
                continue
            settled[node].append(defeated)
            if node in waiting_for:
                waiting_for.remove(node)
                counts[node] = LayerCount(count, True, graph.mechanism_names(defeated), _trace_path(graph, state))
            for edge in graph.edges[node]:
                arriving = defeated | edge.mechanisms
                if edge.target in useful and not _has_subset(settled[edge.target], arriving):
                    levels[arriving.bit_count()].append(_State(edge.target, arriving, edge, state))
    return counts


def _has_subset(sets: list[int], candidate: int) -> bool:
    outside = ~candidate
    return any(not known & outside for known in sets)


def _find_useful_nodes(graph: DesignGraph, targets: set[int]) -> set[int]:
    """Nodes from which a target can be reached."""
    callers: list[list[int]] = [[] for _ in graph.names]
    for edges in graph.edges:
        for edge in edges:
            callers[edge.target].append(edge.source)
    useful = set(targets)
    waiting = list(targets)
    while waiting:
        for caller in callers[waiting.pop()]:
            if caller not in useful:
                useful.add(caller)
                waiting.append(caller)
    return useful


def _trace_path(graph: DesignGraph, state: _State) -> AttackPath:
    def walk_back(last: _State | None) -> Iterator[Edge]:
        while last is not None and last.edge is not None:
            yield last.edge
            last = last.before

    return graph.build_path(list(walk_back(state))[::-1])
