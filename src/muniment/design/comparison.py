"""Compares a design and its routes before and after a change: what the change does to the design.

A change that lets a role through where it was refused is a finding, also where the result of a principle stays the
same: a lost guard, a right that a holder gets, fewer mechanisms, a second person that is no longer needed.
"""

import datetime
from collections import Counter
from collections.abc import Iterator

from msgspec import Struct

from muniment.design.code_elements import CodeElements, find_new_elements
from muniment.design.evaluation import evaluate_design
from muniment.design.findings import DesignFinding, FindingCode, PrincipleResult
from muniment.design.graph import DesignGraph, count_layers
from muniment.design.model import DesignModel, FailureMode, Flow
from muniment.design.privileges import HeldPrivileges
from muniment.design.route_checks import check_routes, list_certain_guards
from muniment.design.routes.route import Route, RouteList

_NAMED = (
    *("actors", "roles", "tasks", "actions", "components", "boundaries", "data", "resources", "guards"),
    *("interfaces", "conflicts"),
)
_UNNAMED = (
    *("applications", "flows", "grants", "second_persons", "acting_as", "limits", "budgets", "public_routes"),
    "samples",
)


class DesignState(Struct, frozen=True):
    """Design of one revision: its model, and the routes, stores and outside calls of its code."""

    model: DesignModel
    routes: tuple[RouteList, ...] = ()
    elements: CodeElements = CodeElements()


class DesignDifference(Struct, frozen=True):
    """Effect of a change: entries added, removed and altered, and findings that the change causes.

    `weaker` are those of the findings that say what protects less than before.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    altered: tuple[str, ...]
    findings: tuple[DesignFinding, ...]
    weaker: tuple[DesignFinding, ...]

    @property
    def is_empty(self) -> bool:
        """Whether the change does nothing to the design."""
        return not (self.added or self.removed or self.altered or self.findings)


def compare_designs(before: DesignState, after: DesignState, today: datetime.date) -> DesignDifference:
    """Everything that a change adds, removes and weakens. Findings that the design had before are left out."""
    old, new = list_model_entries(before), list_model_entries(after)
    # Counted: a second place of one kind in a file is new, also where lines have moved.
    known = Counter(finding.identity for finding in list_findings(before, today))
    weaker = find_weaker_protection(before, after)
    brought = list(find_new_elements(before.elements, after.elements, after.model))
    for finding in list_findings(after, today):
        if known[finding.identity]:
            known[finding.identity] -= 1
        else:
            brought.append(finding)
    return DesignDifference(
        added=tuple(sorted((new - old).elements())),
        removed=tuple(sorted((old - new).elements())),
        altered=tuple(sorted(_list_altered_entries(before.model, after.model))),
        findings=tuple(dict.fromkeys((*weaker, *brought))),
        weaker=weaker,
    )


def find_weaker_protection(before: DesignState, after: DesignState) -> tuple[DesignFinding, ...]:
    """Findings of all that protects less after a change, whatever the results of the principles."""
    findings = [
        *_compare_routes(before.routes, after.routes),
        *_compare_guards(before.routes, after.routes),
        *_compare_rights(before.model, after.model),
        *_compare_flows(before.model, after.model),
        *_compare_layers(before.model, after.model),
        *_compare_entries(before.model, after.model),
    ]
    return tuple(dict.fromkeys(findings))


def _list_altered_entries(before: DesignModel, after: DesignModel) -> Iterator[str]:
    """Entries that keep their name and differ, and lists without names that differ."""
    for table in _NAMED:
        old = {entry.id: entry for entry in getattr(before, table)}
        for entry in getattr(after, table):
            if entry.id in old and entry != old[entry.id]:
                yield f"{_name_entry_kind(table)} {entry.id}"
    for table in _UNNAMED:
        if Counter(map(repr, getattr(before, table))) != Counter(map(repr, getattr(after, table))):
            yield table.replace("_", " ")


def _name_entry_kind(table: str) -> str:
    return table.removesuffix("s") if table != "boundaries" else "boundary"


def evaluate_state(state: DesignState, today: datetime.date) -> tuple[PrincipleResult, ...]:
    """Results of the six principles on the model, and of complete mediation in the code if routes were read."""
    results = evaluate_design(state.model, today)
    if not state.routes:
        return results
    return (*results, check_routes(state.routes, state.model.public_routes))


def list_findings(state: DesignState, today: datetime.date) -> list[DesignFinding]:
    """Findings of all results."""
    return [finding for result in evaluate_state(state, today) for finding in result.findings]


def list_model_entries(state: DesignState) -> Counter[str]:
    """Parts of a design by kind and name. Flows that differ only in guards have one name."""
    model = state.model
    entries = Counter(f"{_name_entry_kind(table)} {entry.id}" for table in _NAMED for entry in getattr(model, table))
    entries.update(f"flow {describe_flow(flow)}" for flow in model.flows)
    entries.update(f"public route {entry.method} {entry.route}" for entry in model.public_routes)
    entries.update(
        f"route {method} {route.pattern}"
        for found in state.routes
        for route in found.routes
        for method in route.methods
    )
    return entries


def describe_flow(flow: Flow) -> str:
    """Flow as people write it."""
    return f"{flow.source} -> {flow.target or 'interface ' + flow.interface}"


def _by_method(lists: tuple[RouteList, ...]) -> dict[str, list[Route]]:
    found: dict[str, list[Route]] = {}
    for routes in lists:
        for route in routes.routes:
            for method in route.methods:
                found.setdefault(f"{method} {route.pattern}", []).append(route)
    return found


def _compare_routes(before: tuple[RouteList, ...], after: tuple[RouteList, ...]) -> Iterator[DesignFinding]:
    """Routes that exist in both and have lost a guard."""
    old = _by_method(before)
    for name, routes in _by_method(after).items():
        if name not in old:
            continue
        asked = frozenset.intersection(*(list_certain_guards(route) for route in old[name]))
        maybe = frozenset.intersection(*(_list_guards(route) for route in old[name])) - asked
        for route in routes:
            lost = (asked - list_certain_guards(route)) | (maybe - _list_guards(route))
            for guard in sorted(lost):
                yield DesignFinding(FindingCode.LOST_ROUTE_GUARD, name, guard, where=route.where)


def _compare_guards(before: tuple[RouteList, ...], after: tuple[RouteList, ...]) -> Iterator[DesignFinding]:
    """Guards of the project whose definition changed while routes rely on them."""
    old = _list_versions(before)
    for name, versions in _list_versions(after).items():
        if name in old and versions != old[name]:
            yield DesignFinding(FindingCode.CHANGED_GUARD, name)


def _list_versions(lists: tuple[RouteList, ...]) -> dict[str, set[str]]:
    versions: dict[str, set[str]] = {}
    for guard in (guard for found in lists for route in found.routes for guard in route.guards):
        if guard.version:
            versions.setdefault(guard.name, set()).add(guard.version)
    return versions


def _list_guards(route: Route) -> frozenset[str]:
    return frozenset(guard.name for guard in route.guards)


def _compare_rights(before: DesignModel, after: DesignModel) -> Iterator[DesignFinding]:
    """Actions that a holder can do after the change and could not do before, by whatever chain."""
    old, new = HeldPrivileges(before), HeldPrivileges(after)
    for holder in new.holders:
        could = set(old.find_holdings(holder)) if holder in old.holders else set()
        for name, holding in new.find_holdings(holder).items():
            if name not in could:
                yield DesignFinding(FindingCode.ADDED_RIGHT, holder, name, (*holding.chain, name))


def _compare_flows(before: DesignModel, after: DesignModel) -> Iterator[DesignFinding]:
    old: dict[str, list[frozenset[str]]] = {}
    for flow in before.flows:
        old.setdefault(describe_flow(flow), []).append(frozenset(flow.guards))
    for resource in before.resources:
        old[f"{resource.component} -> {resource.id}"] = [frozenset(resource.guards)]
    new = [(describe_flow(flow), flow.guards) for flow in after.flows]
    new += [(f"{resource.component} -> {resource.id}", resource.guards) for resource in after.resources]
    for name, guards in new:
        if name in old:
            # Of several flows between two places an attacker takes the weakest.
            lost = frozenset.intersection(*old[name]) - frozenset(guards)
            for guard in sorted(lost):
                yield DesignFinding(FindingCode.LOST_FLOW_GUARD, name, guard)


def _compare_layers(before: DesignModel, after: DesignModel) -> Iterator[DesignFinding]:
    counts: list[dict[str, int]] = []
    for model in (before, after):
        graph = DesignGraph(model)
        nodes = {graph.resource_node(each.id): each.id for each in model.resources if not each.public}
        counts.append({nodes[node]: layers.least for node, layers in count_layers(graph, nodes).items()})
    old, new = counts
    for name in sorted(old.keys() & new.keys()):
        if new[name] < old[name]:
            yield DesignFinding(FindingCode.FEWER_LAYERS, name, f"{new[name]} instead of {old[name]}")


def _compare_entries(before: DesignModel, after: DesignModel) -> Iterator[DesignFinding]:
    """Entries that keep their name and protect less."""
    weaker = FindingCode.WEAKER_ENTRY
    old_guards = {guard.id: guard for guard in before.guards}
    for guard in after.guards:
        old = old_guards.get(guard.id)
        if old is None:
            continue
        lost = [name for name in old.mechanisms if name not in guard.mechanisms]
        if lost:
            yield DesignFinding(weaker, f"guard {guard.id}", f"it no longer has {', '.join(lost)}")
        if old.on_failure is FailureMode.DENY and guard.on_failure is not FailureMode.DENY:
            yield DesignFinding(weaker, f"guard {guard.id}", "it no longer denies on failure")
    seconds = {rule.action for rule in after.second_persons}
    for rule in before.second_persons:
        if rule.action not in seconds and any(action.id == rule.action for action in after.actions):
            yield DesignFinding(weaker, f"action {rule.action}", "it no longer needs a second person")
    old_actors = {actor.id: actor for actor in before.actors}
    for actor in after.actors:
        if actor.id in old_actors and old_actors[actor.id].outside and not actor.outside:
            yield DesignFinding(weaker, f"actor {actor.id}", "it is no longer regarded as outside")
    old_resources = {resource.id: resource for resource in before.resources}
    for resource in after.resources:
        known = old_resources.get(resource.id)
        if known is None:
            continue
        if resource.public and not known.public:
            yield DesignFinding(weaker, f"resource {resource.id}", "it is public now")
        gone = [name for name in known.properties if name not in resource.properties]
        if gone:
            yield DesignFinding(weaker, f"resource {resource.id}", f"{', '.join(gone)} is no longer protected")
    limits = {(limit.resource, limit.protected): limit.most for limit in after.limits}
    for limit in before.limits:
        most = limits.get((limit.resource, limit.protected))
        name = f"{limit.resource}.{limit.protected}" if limit.protected else limit.resource
        if most is None or most > limit.most:
            detail = "its limit is removed" if most is None else f"its limit is {most} instead of {limit.most}"
            yield DesignFinding(weaker, name, detail)
    conflicts = {frozenset(conflict.actions) for conflict in after.conflicts}
    for conflict in before.conflicts:
        if not any(frozenset(conflict.actions) <= actions for actions in conflicts):
            yield DesignFinding(weaker, f"conflict {conflict.id}", "some of its actions are no longer kept apart")
    sign_up = {role.id for role in before.roles if role.sign_up}
    for role in after.roles:
        if role.sign_up and role.id not in sign_up and any(each.id == role.id for each in before.roles):
            yield DesignFinding(weaker, f"role {role.id}", "a person now gets it by signing up")
