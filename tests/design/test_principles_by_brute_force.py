"""Each check agrees with brute force on generated designs, and each counter-example is a real path."""

import datetime

import pytest

from muniment.design.evaluation import evaluate_design
from muniment.design.findings import DesignStatus, FindingCode, Principle, PrincipleResult
from muniment.design.graph import DesignGraph, count_layers, find_required
from muniment.design.model import CHANGING, DesignModel, FailureMode
from tests.design.models import (
    close_rights,
    find_real_edges,
    generate_model,
    list_direct_rights,
    list_held_actions,
    list_simple_paths,
)

TODAY = datetime.date(2026, 11, 30)
FEW = range(150)
ALL = range(1000)


def results_of(model: DesignModel) -> dict[Principle, PrincipleResult]:
    return {result.principle: result for result in evaluate_design(model, TODAY)}


def subjects(result: PrincipleResult, code: FindingCode) -> set[str]:
    return {finding.subject for finding in result.findings if finding.code is code}


def pairs(result: PrincipleResult, code: FindingCode) -> set[tuple[str, str]]:
    return {(finding.subject, finding.detail) for finding in result.findings if finding.code is code}


def compare_with_brute_force(seed: int) -> None:
    model = generate_model(seed)
    results = results_of(model)
    compare_paths(model, results)
    compare_rights(model, results)


def compare_paths(model: DesignModel, results: dict[Principle, PrincipleResult]) -> None:
    paths = list_simple_paths(model)
    graph = DesignGraph(model)
    mechanisms = {guard.id: frozenset(guard.mechanisms) for guard in model.guards}
    protected = [resource.id for resource in model.resources if not resource.public]

    opened = {name for name in protected if any(not path.guards for path in paths[name])}
    mediation = results[Principle.COMPLETE_MEDIATION]
    assert subjects(mediation, FindingCode.OPEN_PATH) == opened
    for finding in mediation.findings:
        if finding.code is FindingCode.OPEN_PATH:
            assert finding.path[0] in {actor.id for actor in model.actors if actor.outside}
            assert all(frozenset() in ways for ways in find_real_edges(model, finding.path))

    required = find_required(graph, lambda edge: edge.guards)
    layers = count_layers(graph, [graph.resource_node(resource.id) for resource in model.resources])
    for resource in model.resources:
        node = graph.resource_node(resource.id)
        if not paths[resource.id]:
            assert node not in required
            assert node not in layers
            continue
        chokes = frozenset.intersection(*(path.guards for path in paths[resource.id]))
        assert set(graph.guard_names(required[node])) == chokes
        least = min(
            len(frozenset().union(*(mechanisms[guard] for guard in path.guards))) for path in paths[resource.id]
        )
        assert (layers[node].least, layers[node].is_exact) == (least, True)
        weakest = layers[node].path
        assert weakest is not None
        defeated = {name for guard in weakest.guards for name in mechanisms[guard]}
        assert defeated == set(layers[node].mechanisms)
        assert len(defeated) == least
        assert all(
            any(set().union(*(mechanisms[guard] for guard in way)) <= defeated for way in ways)
            for ways in find_real_edges(model, weakest.nodes)
        )

    for mode, code in (
        (FailureMode.ALLOW, FindingCode.FAILS_OPEN),
        (FailureMode.UNKNOWN, FindingCode.FAILURE_UNKNOWN),
    ):
        expected = {
            (name, guard.id)
            for guard in model.guards
            if guard.on_failure is mode
            for name in protected
            if name not in opened and any(path.guards <= {guard.id} for path in paths[name])
        }
        assert pairs(results[Principle.SECURE_FAILURE], code) == expected


def compare_rights(model: DesignModel, results: dict[Principle, PrincipleResult]) -> None:
    held = list_held_actions(model)
    actions = {action.id: action for action in model.actions}
    separation = results[Principle.PRIVILEGE_SEPARATION]

    expected = {
        (holder, conflict.id)
        for conflict in model.conflicts
        for holder, names in held.items()
        if len(set(conflict.actions) & names) > 1
    }
    conflicts = {(who, detail.partition("(")[2].rstrip(")")) for who, detail in pairs(separation, FindingCode.CONFLICT)}
    assert conflicts == expected

    limits = {(limit.resource, limit.protected): limit.most for limit in model.limits}
    too_many, sign_up, no_limit = set(), set(), set()
    for resource in model.resources:
        for name in ("", *resource.properties):
            label = f"{resource.id}.{name}" if name else resource.id
            changers = {
                holder
                for holder, names in held.items()
                if any(
                    actions[each].resource == resource.id
                    and actions[each].verb in CHANGING
                    and (not name or actions[each].changes is None or name in (actions[each].changes or ()))
                    for each in names
                )
            }
            most = limits.get((resource.id, name))
            if most is None:
                no_limit |= {label} if changers else set()
                continue
            too_many |= {label} if len(changers) > most else set()
            sign_up |= {(label, role.id) for role in model.roles if role.sign_up and role.id in changers}
    assert subjects(separation, FindingCode.TOO_MANY_HOLDERS) == too_many
    assert subjects(separation, FindingCode.NO_LIMIT) == no_limit
    assert pairs(separation, FindingCode.SIGN_UP_HOLDER) == sign_up
    assert pairs(separation, FindingCode.SELF_APPROVAL) == find_self_approvals(model)

    direct = list_direct_rights(model)
    closed = close_rights(model)
    needed: dict[str, set[str]] = {}
    for task in model.tasks:
        for holder in task.by:
            for source in closed[holder]:
                needed.setdefault(source, set()).update(task.actions)
    extra = {(who, name) for who, names in direct.items() for name in names - needed.get(who, set())}
    least = results[Principle.LEAST_PRIVILEGE]
    assert pairs(least, FindingCode.NO_TASK) == extra
    wildcards = {(grant.to, "x*") for grant in model.grants if "x*" in grant.actions}
    assert pairs(least, FindingCode.WILDCARD) == wildcards


def find_self_approvals(model: DesignModel) -> set[tuple[str, str]]:
    own = close_rights(model, acting=False)
    direct = list_direct_rights(model)
    acts = [(each.who, each.rights_of) for each in model.acting_as]
    found = set()
    for holder in own:
        identities = {holder}
        for _ in own:  # as often as there are holders: nothing is new after that
            identities |= {other for each in set(identities) for who, other in acts if who in own[each]}
        for rule in model.second_persons:
            asking = {i for i in identities if any(rule.action in direct.get(s, set()) for s in own[i])}
            approving = {i for i in identities if own[i] & set(rule.by)}
            if any(a != b for a in asking for b in approving):
                found.add((holder, rule.action))
    return found


@pytest.mark.parametrize("start", range(0, len(ALL), 100))
def test_the_checks_agree_with_brute_force_on_a_thousand_models(start: int) -> None:
    for seed in ALL[start : start + 100]:
        compare_with_brute_force(seed)


def test_the_generated_models_have_every_kind_of_finding_on_the_graph() -> None:
    codes = {f.code for seed in FEW for result in results_of(generate_model(seed)).values() for f in result.findings}
    assert codes >= {
        FindingCode.OPEN_PATH,
        FindingCode.NO_LAYER,
        FindingCode.SINGLE_LAYER,
        FindingCode.FAILS_OPEN,
        FindingCode.FAILURE_UNKNOWN,
        FindingCode.CONFLICT,
        FindingCode.SELF_APPROVAL,
        FindingCode.TOO_MANY_HOLDERS,
        FindingCode.SIGN_UP_HOLDER,
        FindingCode.MISSING_INTERFACE,
        FindingCode.NO_TASK,
    }


def test_each_sentence_of_a_finding_can_be_filled() -> None:
    for code in FindingCode:
        assert code.value.status in (DesignStatus.VIOLATED, DesignStatus.UNKNOWN)
        assert "{" not in code.value.message.format(subject="orders", detail="web")
        assert "{" not in code.value.remedy.format(subject="orders", detail="web")
