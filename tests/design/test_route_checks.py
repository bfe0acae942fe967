"""Each route has a guard, or is public on purpose; a change that takes a guard away is a finding."""

import datetime

from msgspec import structs

from muniment.design.comparison import DesignState, compare_designs
from muniment.design.findings import DesignStatus, FindingCode
from muniment.design.model import (
    ActingAs,
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
    Limit,
    ModelConflict,
    PublicRoute,
    SecondPerson,
    Verb,
)
from muniment.design.route_checks import check_routes
from muniment.design.routes.route import Route, RouteGuard, RouteList, UnreadSource

TODAY = datetime.date(2026, 11, 30)
SIGN_IN = RouteGuard("auth.sign_in")
HALF = RouteGuard("auth.middleware", is_certain=False)


def route(pattern: str, *guards: RouteGuard, methods: tuple[str, ...] = ("GET",), handler: str = "") -> Route:
    return Route(pattern, methods, handler or f"app{pattern}", "app.py:1", guards)


def listed(*routes: Route, unread: tuple[UnreadSource, ...] = ()) -> RouteList:
    return RouteList("flask", routes, unread)


def public(pattern: str, method: str = "GET") -> PublicRoute:
    return PublicRoute(route=pattern, method=method, reason="everybody signs in there", by="security")


def found(lists: RouteList, *entries: PublicRoute) -> list[tuple[FindingCode, str]]:
    return [(finding.code, finding.subject) for finding in check_routes([lists], entries).findings]


def test_a_guarded_route_and_one_that_is_public_on_purpose_are_met() -> None:
    result = check_routes([listed(route("/a", SIGN_IN), route("/login"))], (public("/login"),))
    assert result.status is DesignStatus.MET
    assert "1 of 2 routes have a guard" in result.notes[0].text


def test_a_public_route_that_is_not_listed_fails_for_each_of_its_methods() -> None:
    bare = route("/login", methods=("GET", "POST"))
    assert found(listed(bare), public("/login")) == [(FindingCode.UNGUARDED_ROUTE, "POST /login")]


def test_an_entry_for_all_methods_covers_each() -> None:
    assert not found(listed(route("/login", methods=("GET", "POST"))), public("/login", "*"))


def test_a_public_entry_without_a_route_fails() -> None:
    assert found(listed(route("/a", SIGN_IN)), public("/b")) == [(FindingCode.UNUSED_PUBLIC, "GET /b")]


def test_guard_that_parsing_cannot_determine_is_unknown() -> None:
    lists = listed(route("/a", HALF), unread=(UnreadSource("b.py:3", "the parser refuses this file"),))
    result = check_routes([lists], ())
    assert result.status is DesignStatus.UNKNOWN
    assert [finding.code for finding in result.findings] == [
        FindingCode.UNREAD_SOURCE,
        FindingCode.UNKNOWN_ROUTE_GUARD,
    ]


def test_no_routes_at_all_are_unknown() -> None:
    assert check_routes([listed()], ()).status is DesignStatus.UNKNOWN


def test_one_handler_behind_two_routes_with_different_guards_is_found() -> None:
    other = RouteGuard("auth.admin")
    lists = listed(route("/a", SIGN_IN, handler="view"), route("/b", other, handler="view"))
    assert found(lists) == [(FindingCode.DIFFERENT_GUARDS, "view")]


MODEL = DesignModel(
    schema=1,
    product="shop",
    owner="security",
    actors=(DesignActor(id="visitor"), DesignActor(id="clerk", roles=("staff",))),
    roles=(DesignRole(id="staff"), DesignRole(id="chief")),
    components=(Component(id="web"),),
    guards=(
        Guard(id="sign-in", mechanisms=("password", "code"), on_failure=FailureMode.DENY),
        Guard(id="network", mechanisms=("firewall",), on_failure=FailureMode.DENY),
    ),
    flows=(Flow(source="visitor", target="web", guards=("sign-in", "network")),),
    resources=(DesignResource(id="orders", component="web", properties=("price",)),),
    actions=(
        DesignAction(id="edit", resource="orders", verb=Verb.MODIFY),
        DesignAction(id="show", resource="orders", verb=Verb.READ),
    ),
    grants=(DesignGrant(to="staff", actions=("show",)), DesignGrant(to="chief", actions=("edit",))),
    second_persons=(SecondPerson(action="edit", by=("chief",)),),
    limits=(Limit(resource="orders", most=1),),
    conflicts=(ModelConflict(id="both", actions=("edit", "show")),),
)


def weakened(after: DesignModel) -> list[tuple[FindingCode, str, str]]:
    difference = compare_designs(DesignState(MODEL), DesignState(after), TODAY)
    return [(finding.code, finding.subject, finding.detail) for finding in difference.findings]


def test_a_change_without_effect_on_the_design_is_empty() -> None:
    assert compare_designs(DesignState(MODEL), DesignState(MODEL), TODAY).is_empty


def test_a_lost_guard_of_a_route_is_a_finding_even_if_another_stays() -> None:
    admin = RouteGuard("auth.admin")
    before = DesignState(MODEL, (listed(route("/a", SIGN_IN, admin)),))
    after = DesignState(MODEL, (listed(route("/a", SIGN_IN)),))
    difference = compare_designs(before, after, TODAY)
    assert [(f.code, f.subject, f.detail) for f in difference.findings] == [
        (FindingCode.LOST_ROUTE_GUARD, "GET /a", "auth.admin")
    ]


def test_an_ordinary_route_under_a_guard_needs_no_line() -> None:
    before = DesignState(MODEL, (listed(route("/a", SIGN_IN)),))
    after = DesignState(MODEL, (listed(route("/a", SIGN_IN), route("/b", SIGN_IN)),))
    difference = compare_designs(before, after, TODAY)
    assert difference.added == ("route GET /b",)
    assert not difference.findings


def test_a_new_unguarded_path_is_a_finding_with_the_path() -> None:
    after = structs.replace(MODEL, flows=(*MODEL.flows, Flow(source="visitor", target="web")))
    difference = compare_designs(DesignState(MODEL), DesignState(after), TODAY)
    assert ("visitor", "web", "orders") in [finding.path for finding in difference.findings]
    assert FindingCode.OPEN_PATH in [finding.code for finding in difference.findings]
    assert FindingCode.FEWER_LAYERS in [finding.code for finding in difference.findings]


def test_a_right_that_a_holder_gets_by_any_chain_is_a_finding() -> None:
    after = structs.replace(MODEL, acting_as=(ActingAs(who="clerk", rights_of="chief"),))
    assert (FindingCode.ADDED_RIGHT, "clerk", "edit") in weakened(after)


def test_a_weaker_entry_is_a_finding() -> None:
    guard = structs.replace(MODEL.guards[0], mechanisms=("password",), on_failure=FailureMode.UNKNOWN)
    cases = {
        "guard sign-in": structs.replace(MODEL, guards=(guard, MODEL.guards[1])),
        "action edit": structs.replace(MODEL, second_persons=()),
        "actor visitor": structs.replace(MODEL, actors=(DesignActor(id="visitor", outside=False), MODEL.actors[1])),
        "resource orders": structs.replace(MODEL, resources=(structs.replace(MODEL.resources[0], public="all"),)),
        "orders": structs.replace(MODEL, limits=(Limit(resource="orders", most=2),)),
        "conflict both": structs.replace(MODEL, conflicts=()),
        "role chief": structs.replace(MODEL, roles=(MODEL.roles[0], DesignRole(id="chief", sign_up=True))),
    }
    for subject, after in cases.items():
        assert (FindingCode.WEAKER_ENTRY, subject) in [(code, name) for code, name, _ in weakened(after)], subject


def test_a_flow_that_loses_a_guard_is_a_finding() -> None:
    after = structs.replace(MODEL, flows=(Flow(source="visitor", target="web", guards=("sign-in",)),))
    assert (FindingCode.LOST_FLOW_GUARD, "visitor -> web", "network") in weakened(after)
