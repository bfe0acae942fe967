"""Secure failure on the model: each guard and each changing operation fails in turn."""

from collections.abc import Iterator

from muniment.design.findings import DesignFinding, Evidence, FindingCode, Principle, PrincipleResult, combine_findings
from muniment.design.graph import DesignGraph, Reachability
from muniment.design.model import CHANGING, DesignModel, FailureMode, Undo


def check_secure_failure(model: DesignModel, graph: DesignGraph) -> PrincipleResult:
    """Find resources that are open once one guard fails, and operations that leave a partial change.

    A guard that denies on failure closes its flows. One that allows, or of which that is unknown, is taken away.
    """
    findings = [*_fail_guards(model, graph), *_fail_operations(model)]
    findings += [DesignFinding(FindingCode.NO_ASKS, guard.id) for guard in model.guards if not guard.asks]
    if not model.guards:
        findings.append(DesignFinding(FindingCode.NO_GUARD, model.product))
    changing = sum(action.verb in CHANGING for action in model.actions)
    return combine_findings(
        Principle.SECURE_FAILURE,
        (Evidence.MODEL, Evidence.STATED),
        tuple(findings),
        examined=len(model.guards) + changing,
    )


def _fail_guards(model: DesignModel, graph: DesignGraph) -> Iterator[DesignFinding]:
    before = Reachability(graph, lambda edge: not edge.guards)
    protected = [resource for resource in model.resources if not resource.public]
    for guard in model.guards:
        if guard.on_failure is FailureMode.DENY:
            continue
        others = ~graph.guard_mask((guard.id,))
        after = Reachability(graph, lambda edge, others=others: not edge.guards & others)  # type: ignore[misc]
        code = FindingCode.FAILS_OPEN if guard.on_failure is FailureMode.ALLOW else FindingCode.FAILURE_UNKNOWN
        for resource in protected:
            node = graph.resource_node(resource.id)
            path = None if before.reaches(node) else after.find_path(node)
            if path is not None:
                yield DesignFinding(code, resource.id, guard.id, path.nodes)


def _fail_operations(model: DesignModel) -> Iterator[DesignFinding]:
    for action in model.actions:
        if action.verb in CHANGING and action.undo is Undo.NONE:
            yield DesignFinding(FindingCode.NO_UNDO, action.id)
        elif action.verb in CHANGING and action.undo is Undo.UNKNOWN:
            yield DesignFinding(FindingCode.UNDO_UNKNOWN, action.id)
