"""Multiple security layers: an attacker must defeat at least two distinct mechanisms on any path to an asset."""

from muniment.design.findings import (
    DesignFinding,
    DesignNote,
    Evidence,
    FindingCode,
    Principle,
    PrincipleResult,
    combine_findings,
)
from muniment.design.graph import EXACT_MECHANISMS, DesignGraph, count_layers
from muniment.design.model import DesignModel

REQUIRED_LAYERS = 2  # one is a single point of failure


def check_layers(model: DesignModel, graph: DesignGraph) -> PrincipleResult:
    """Count the mechanisms before each protected resource, and name the weakest path to it."""
    protected = {graph.resource_node(each.id): each.id for each in model.resources if not each.public}
    findings: list[DesignFinding] = []
    notes: list[DesignNote] = []
    if not protected:
        findings.append(DesignFinding(FindingCode.NO_RESOURCE, model.product))
    for node, layers in count_layers(graph, protected).items():
        name = protected[node]
        path = layers.path.nodes if layers.path else ()
        if not layers.is_exact:
            findings.append(DesignFinding(FindingCode.LAYERS_UNKNOWN, name, str(layers.least)))
        elif layers.least == 0:
            findings.append(DesignFinding(FindingCode.NO_LAYER, name, path=path))
        elif layers.least < REQUIRED_LAYERS:
            findings.append(DesignFinding(FindingCode.SINGLE_LAYER, name, ", ".join(layers.mechanisms), path))
        else:
            notes.append(DesignNote(name, f"{layers.least} mechanisms: {', '.join(layers.mechanisms)}."))
    if len(graph.mechanisms) > EXACT_MECHANISMS:
        notes.append(
            DesignNote(model.product, f"More than {EXACT_MECHANISMS} mechanisms: only lower bounds are known.")
        )
    return combine_findings(
        Principle.SECURITY_LAYERS, (Evidence.MODEL,), tuple(findings), tuple(notes), examined=len(protected)
    )
