"""Threats of a design by STRIDE, generated for each element, ranked, with an identity that survives other changes.

Which kinds apply to which element: Shostack, Threat Modeling (2014), table "STRIDE-per-element".
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum

from msgspec import Struct

from muniment.design.comparison import describe_flow
from muniment.design.graph import DesignGraph, Reachability
from muniment.design.model import ComponentKind, DesignModel, Flow, Sensitivity


class ThreatKind(StrEnum):
    """The six kinds of STRIDE."""

    SPOOFING = "spoofing"
    TAMPERING = "tampering"
    REPUDIATION = "repudiation"
    DISCLOSURE = "information-disclosure"
    DENIAL = "denial-of-service"
    ELEVATION = "elevation-of-privilege"


_ALL = tuple(ThreatKind)
_BY_ELEMENT = {
    "actor": (ThreatKind.SPOOFING, ThreatKind.REPUDIATION),
    ComponentKind.EXTERNAL: (ThreatKind.SPOOFING, ThreatKind.REPUDIATION),
    ComponentKind.PROCESS: _ALL,
    ComponentKind.STORE: (ThreatKind.TAMPERING, ThreatKind.REPUDIATION, ThreatKind.DISCLOSURE, ThreatKind.DENIAL),
    "flow": (ThreatKind.TAMPERING, ThreatKind.DISCLOSURE, ThreatKind.DENIAL),
}
_SENTENCES = {
    ThreatKind.SPOOFING: "Somebody pretends to be {name}.",
    ThreatKind.TAMPERING: "Somebody changes data in {name} without the right to do so.",
    ThreatKind.REPUDIATION: "{name} denies an act, and no record proves it.",
    ThreatKind.DISCLOSURE: "Somebody reads data in {name} without the right to do so.",
    ThreatKind.DENIAL: "Somebody makes {name} unavailable.",
    ThreatKind.ELEVATION: "Somebody gets rights in {name} that nobody granted.",
}
_GUARDED_KINDS = frozenset({ThreatKind.SPOOFING, ThreatKind.ELEVATION, ThreatKind.TAMPERING, ThreatKind.DISCLOSURE})
_IMPACTS = {Sensitivity.PUBLIC: 1, Sensitivity.INTERNAL: 2, Sensitivity.CONFIDENTIAL: 3, Sensitivity.SECRET: 4}


class Threat(Struct, frozen=True):
    """Threat to one element of a design. `identity` names kind and element; answers are kept by it.

    `score` is impact (1 to 5, from the data) times exposure (1 to 3, from the ways to the element). `mitigations` are
    the guards and properties of the design that act against it.
    """

    identity: str
    kind: ThreatKind
    element: str
    sentence: str
    score: int
    mitigations: tuple[str, ...]


def list_threats(model: DesignModel) -> tuple[Threat, ...]:
    """Threats of all elements, the highest score first, then by identity."""
    graph = DesignGraph(model)
    reached = _names_reached(graph, only_open=False)
    opened = _names_reached(graph, only_open=True)
    threats: dict[str, Threat] = {}
    for element, name, kinds, impact, guards, encrypted in _list_elements(model):
        places = name.split(" -> ")
        exposure = 1 + any(place in reached for place in places) + any(place in opened for place in places)
        for kind in kinds:
            identity = f"stride:{kind.value}:{element}:{name}"
            mitigations = list(guards) if kind in _GUARDED_KINDS else []
            if encrypted and kind in (ThreatKind.TAMPERING, ThreatKind.DISCLOSURE):
                mitigations.append("encryption")
            threat = Threat(
                identity, kind, name, _SENTENCES[kind].format(name=name), impact * exposure, tuple(mitigations)
            )
            known = threats.get(identity)
            # Of several flows between two places the least protected one counts.
            if known is None or len(threat.mitigations) < len(known.mitigations):
                threats[identity] = threat
    return tuple(sorted(threats.values(), key=lambda threat: (-threat.score, threat.identity)))


def _names_reached(graph: DesignGraph, *, only_open: bool) -> frozenset[str]:
    reached = Reachability(graph, lambda edge: not edge.guards if only_open else True)
    return frozenset(name for number, name in enumerate(graph.names) if reached.reaches(number))


_Element = tuple[str, str, tuple[ThreatKind, ...], int, tuple[str, ...], bool]


def _list_elements(model: DesignModel) -> Iterator[_Element]:
    """Each element: kind, name, kinds of threats, impact, guards before it, whether it is encrypted."""
    impacts = {data.id: _IMPACTS[data.sensitivity] + data.personal for data in model.data}
    held: dict[str, set[str]] = {component.id: set() for component in model.components}
    for resource in model.resources:
        held[resource.component].update(resource.data)
    for flow in model.flows:
        for place in (flow.source, flow.target):
            if place in held:
                held[place].update(flow.data)

    def measure_impact(names: Iterable[str]) -> int:
        # Without a word about its data an element may hold anything: it counts as confidential.
        return max((impacts[name] for name in names), default=_IMPACTS[Sensitivity.CONFIDENTIAL])

    for actor in model.actors:
        guards = _guards_of(flow for flow in model.flows if flow.source == actor.id)
        yield "actor", actor.id, _BY_ELEMENT["actor"], measure_impact(()), guards, False
    for component in model.components:
        guards = _guards_of(flow for flow in model.flows if flow.target == component.id)
        kinds = _BY_ELEMENT[component.kind]
        yield component.kind.value, component.id, kinds, measure_impact(held[component.id]), guards, False
    for flow in model.flows:
        impact = measure_impact(flow.data)
        yield "flow", describe_flow(flow), _BY_ELEMENT["flow"], impact, flow.guards, flow.encrypted is True


def _guards_of(flows: Iterable[Flow]) -> tuple[str, ...]:
    """Guards that stand on all of these flows: one way without a guard is enough for an attacker."""
    sets = [frozenset(flow.guards) for flow in flows]
    return tuple(sorted(frozenset.intersection(*sets))) if sets else ()
