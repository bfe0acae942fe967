"""Each principle on small designs: what violates it, what is unknown, and what meets it."""

import datetime
import itertools

from msgspec import structs

from muniment.design.evaluation import evaluate_design
from muniment.design.findings import DesignStatus, FindingCode, Principle, PrincipleResult
from muniment.design.graph import DesignGraph, count_layers
from muniment.design.model import (
    Budget,
    Component,
    DesignAction,
    DesignActor,
    DesignGrant,
    DesignModel,
    DesignResource,
    DesignRole,
    FailureMode,
    Flow,
    Guard,
    Interface,
    Measure,
    Measurement,
    Task,
    Undo,
    Use,
    Verb,
)
from muniment.design.model_union import join_designs

TODAY = datetime.date(2026, 11, 30)
OLD = datetime.date(2026, 8, 1)

SHOP = DesignModel(
    schema=1,
    product="shop",
    owner="security",
    actors=(DesignActor(id="visitor"),),
    components=(Component(id="web"),),
    guards=(
        Guard(id="sign-in", mechanisms=("password",), asks=("shop:may",), on_failure=FailureMode.DENY),
        Guard(id="network", mechanisms=("firewall",), asks=("shop:net",), on_failure=FailureMode.DENY),
    ),
    flows=(Flow(source="visitor", target="web", guards=("sign-in", "network")),),
    resources=(DesignResource(id="orders", component="web"),),
)


def result_of(model: DesignModel, principle: Principle, today: datetime.date = TODAY) -> PrincipleResult:
    return next(result for result in evaluate_design(model, today) if result.principle is principle)


def codes(model: DesignModel, principle: Principle) -> list[FindingCode]:
    return [finding.code for finding in result_of(model, principle).findings]


def test_two_mechanisms_and_no_open_path_meet_both_principles() -> None:
    for principle in (Principle.COMPLETE_MEDIATION, Principle.SECURITY_LAYERS):
        assert result_of(SHOP, principle).status is DesignStatus.MET
    assert "sign-in, network" in result_of(SHOP, Principle.COMPLETE_MEDIATION).notes[0].text


def test_a_second_way_without_a_guard_is_shown_as_a_path() -> None:
    model = structs.replace(SHOP, flows=(*SHOP.flows, Flow(source="visitor", target="orders")))
    finding = result_of(model, Principle.COMPLETE_MEDIATION).findings[0]
    assert finding.code is FindingCode.OPEN_PATH
    assert finding.path == ("visitor", "orders")


def test_two_guards_with_one_mechanism_are_one_layer() -> None:
    guards = tuple(structs.replace(guard, mechanisms=("single-sign-on",)) for guard in SHOP.guards)
    finding = result_of(structs.replace(SHOP, guards=guards), Principle.SECURITY_LAYERS).findings[0]
    assert (finding.code, finding.detail) == (FindingCode.SINGLE_LAYER, "single-sign-on")


def test_an_empty_design_meets_nothing() -> None:
    empty = DesignModel(schema=1, product="shop", owner="security")
    assert {result.status for result in evaluate_design(empty, TODAY)} == {DesignStatus.UNKNOWN}


def test_a_flow_to_an_interface_that_nobody_offers_is_unknown() -> None:
    model = structs.replace(SHOP, flows=(*SHOP.flows, Flow(source="web", interface="payments")))
    assert codes(model, Principle.COMPLETE_MEDIATION) == [FindingCode.MISSING_INTERFACE]
    assert result_of(model, Principle.COMPLETE_MEDIATION).status is DesignStatus.UNKNOWN


def test_an_offered_interface_opens_the_other_repository() -> None:
    payments = DesignModel(
        schema=1,
        product="shop",
        owner="security",
        components=(Component(id="api"),),
        resources=(DesignResource(id="cards", component="api"),),
        interfaces=(Interface(id="payments", component="api"),),
    )
    shop = structs.replace(SHOP, flows=(Flow(source="visitor", interface="payments"),))
    finding = result_of(join_designs({"a": shop, "b": payments}), Principle.COMPLETE_MEDIATION).findings[0]
    assert finding.path == ("visitor", "b/api", "b/cards")


def many_mechanisms(number: int) -> DesignModel:
    guards = tuple(Guard(id=f"g{n}", mechanisms=(f"m{n}",)) for n in range(number))
    names = tuple(guard.id for guard in guards)
    flows = (
        Flow(source="visitor", target="web", guards=names[:3]),
        Flow(source="visitor", target="web", guards=names[2:]),
    )
    return structs.replace(SHOP, guards=guards, flows=flows)


def test_sixteen_mechanisms_are_counted_exactly_and_more_are_bounded() -> None:
    for number, exact in ((16, True), (17, False)):
        graph = DesignGraph(many_mechanisms(number))
        layers = next(iter(count_layers(graph, [graph.resource_node("orders")]).values()))
        assert (layers.least, layers.is_exact) == (3, exact)
    assert codes(many_mechanisms(17), Principle.SECURITY_LAYERS) == [FindingCode.LAYERS_UNKNOWN]


def test_an_open_path_is_found_among_more_than_sixteen_mechanisms() -> None:
    model = many_mechanisms(20)
    model = structs.replace(model, flows=(*model.flows, Flow(source="visitor", target="web")))
    assert codes(model, Principle.SECURITY_LAYERS) == [FindingCode.NO_LAYER]


def test_a_guard_that_fails_open_opens_the_path_unless_another_stays() -> None:
    weak = tuple(structs.replace(guard, on_failure=FailureMode.ALLOW) for guard in SHOP.guards)
    both = structs.replace(SHOP, guards=weak)
    assert result_of(both, Principle.SECURE_FAILURE).status is DesignStatus.MET
    alone = structs.replace(both, flows=(Flow(source="visitor", target="web", guards=("sign-in",)),))
    assert codes(alone, Principle.SECURE_FAILURE) == [FindingCode.FAILS_OPEN]


def test_an_operation_without_undo_is_a_finding() -> None:
    for undo, code in ((Undo.NONE, FindingCode.NO_UNDO), (Undo.UNKNOWN, FindingCode.UNDO_UNKNOWN)):
        action = DesignAction(id="edit", resource="orders", verb=Verb.MODIFY, undo=undo)
        assert codes(structs.replace(SHOP, actions=(action,)), Principle.SECURE_FAILURE) == [code]


def test_a_guard_that_names_nothing_that_it_asks_is_unknown() -> None:
    guards = (structs.replace(SHOP.guards[0], asks=()), SHOP.guards[1])
    assert codes(structs.replace(SHOP, guards=guards), Principle.SECURE_FAILURE) == [FindingCode.NO_ASKS]


RIGHTS = structs.replace(
    SHOP,
    roles=(DesignRole(id="clerk"), DesignRole(id="chief", inherits=("clerk",))),
    actions=tuple(
        DesignAction(id=name, resource="orders", verb=Verb.READ)
        for name in ("orders.list", "orders.show", "orders.export")
    ),
    tasks=(Task(id="serve", by=("chief",), actions=("orders.list", "orders.show")),),
    grants=(DesignGrant(to="clerk", actions=("orders.list", "orders.show"), read_on=TODAY),),
    uses=(Use(by="clerk", actions=("orders.list", "orders.show"), read_on=TODAY),),
)


def test_grants_that_were_used_and_that_a_task_needs_meet_least_privilege() -> None:
    assert result_of(RIGHTS, Principle.LEAST_PRIVILEGE).status is DesignStatus.MET


def test_an_unused_grant_a_wildcard_and_one_without_a_task_are_findings() -> None:
    grants = (structs.replace(RIGHTS.grants[0], actions=("orders.*",)),)
    found = result_of(structs.replace(RIGHTS, grants=grants), Principle.LEAST_PRIVILEGE).findings
    assert {(finding.code, finding.detail) for finding in found} == {
        (FindingCode.WILDCARD, "orders.*"),
        (FindingCode.UNUSED_GRANT, "orders.export"),
        (FindingCode.NO_TASK, "orders.export"),
    }


def test_grants_and_use_older_than_the_window_are_unknown() -> None:
    grants = (structs.replace(RIGHTS.grants[0], read_on=OLD),)
    uses = (structs.replace(RIGHTS.uses[0], read_on=OLD),)
    model = structs.replace(RIGHTS, grants=grants, uses=uses)
    assert codes(model, Principle.LEAST_PRIVILEGE) == [FindingCode.OLD_GRANT, FindingCode.UNKNOWN_USE]
    assert result_of(model, Principle.LEAST_PRIVILEGE).status is DesignStatus.UNKNOWN


def test_a_date_in_the_future_is_not_recent() -> None:
    result = result_of(RIGHTS, Principle.LEAST_PRIVILEGE, today=TODAY - datetime.timedelta(days=1))
    assert result.status is DesignStatus.UNKNOWN


def test_a_task_that_needs_more_than_is_granted_is_unknown() -> None:
    tasks = (Task(id="export", by=("clerk",), actions=("orders.export",)),)
    model = structs.replace(RIGHTS, tasks=(*RIGHTS.tasks, *tasks))
    assert codes(model, Principle.LEAST_PRIVILEGE) == [FindingCode.MISSING_GRANT]


def test_friction_within_all_budgets_is_met() -> None:
    model = structs.replace(
        RIGHTS,
        tasks=(structs.replace(RIGHTS.tasks[0], prompts=1),),
        budgets=tuple(Budget(measure=measure, most=2) for measure in Measure),
        measurements=tuple(Measurement(measure=measure, value=2, read_on=TODAY) for measure in list(Measure)[1:]),
    )
    assert result_of(model, Principle.USER_FRIENDLY).status is DesignStatus.MET
    for number, measure in itertools.islice(enumerate(Measure), 1, None):
        left = model.measurements[: number - 1] + model.measurements[number:]
        without = result_of(structs.replace(model, measurements=left), Principle.USER_FRIENDLY)
        assert [(f.code, f.subject) for f in without.findings] == [(FindingCode.NOT_MEASURED, measure.value)]


def test_a_measurement_over_its_budget_names_the_control() -> None:
    model = structs.replace(
        RIGHTS,
        budgets=(Budget(measure=Measure.LOCKOUTS, most=1),),
        measurements=(Measurement(measure=Measure.LOCKOUTS, value=5, read_on=TODAY, control="second factor"),),
    )
    finding = result_of(model, Principle.USER_FRIENDLY).findings
    over = [each for each in finding if each.code is FindingCode.OVER_BUDGET]
    assert [each.detail for each in over] == ["second factor: 5, and 1 are allowed"]
