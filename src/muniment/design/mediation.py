"""Complete mediation on the model: without guards, no path leads from outside to a resource."""

from muniment.design.findings import (
    DesignFinding,
    DesignNote,
    Evidence,
    FindingCode,
    Principle,
    PrincipleResult,
    combine_findings,
)
from muniment.design.graph import DesignGraph, Reachability, find_required
from muniment.design.model import DesignModel

_EVIDENCE = (Evidence.MODEL,)


def check_complete_mediation(model: DesignModel, graph: DesignGraph) -> PrincipleResult:
    """Find each resource that an unguarded path reaches, and name the choke points of the others."""
    findings: list[DesignFinding] = []
    notes: list[DesignNote] = []
    if not any(actor.outside for actor in model.actors):
        findings.append(DesignFinding(FindingCode.NO_ENTRY, model.product))
    protected = [resource for resource in model.resources if not resource.public]
    if not protected:
        findings.append(DesignFinding(FindingCode.NO_RESOURCE, model.product))
    reached = Reachability(graph, lambda _: True)
    for node, interface in graph.missing_interfaces:
        if reached.reaches(node):
            findings.append(DesignFinding(FindingCode.MISSING_INTERFACE, graph.names[node], interface))
    unguarded = Reachability(graph, lambda edge: not edge.guards)
    required = find_required(graph, lambda edge: edge.guards)
    for resource in protected:
        node = graph.resource_node(resource.id)
        path = unguarded.find_path(node)
        if path is not None:
            findings.append(DesignFinding(FindingCode.OPEN_PATH, resource.id, path=path.nodes))
        elif not reached.reaches(node):
            notes.append(DesignNote(resource.id, "No path leads there from outside."))
        elif required[node]:
            names = ", ".join(graph.guard_names(required[node]))
            notes.append(DesignNote(resource.id, f"Choke points: {names}."))
        else:
            notes.append(DesignNote(resource.id, "Each path has a guard; no single guard lies on all of them."))
    return combine_findings(
        Principle.COMPLETE_MEDIATION, _EVIDENCE, tuple(findings), tuple(notes), examined=len(protected)
    )
