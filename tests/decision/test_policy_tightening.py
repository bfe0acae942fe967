import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from muniment.decision.binding import BoundPolicy, bind_clauses, bind_known_clauses
from muniment.decision.catalogue import CONTROLS
from muniment.decision.comparison import Direction, PolicyDifference, compare_policies
from muniment.decision.tightening import tighten_clauses
from muniment.policy.model import Clause, EnforcementPoint, Policy, Section

PLANNED = frozenset({"later-control", "even-later"})  # the catalogue has fewer with each version

SECTION = Section("s", "Section", "sec@example.test")
TWO = Clause("two", "Two", "s", "Two others review.", "independent-review", (EnforcementPoint.MERGE,), {"reviewers": 2})
SMALL = Clause("small", "Small", "s", "Small.", "small-changes", (EnforcementPoint.MERGE,), {"generated": ["a", "b"]})
LATER_ONE = Clause("later", "Later", "s", "Tests pass.", "later-control", (), {"suites": ["unit"]})
FLOOR = Policy("sec@example.test", "shop", "policy.md", ("main",), {}, (SECTION,), (TWO, SMALL, LATER_ONE))
POINTS = (EnforcementPoint.MERGE, EnforcementPoint.DEPLOY)
JANUARY, FEBRUARY = datetime.date(2027, 1, 31), datetime.date(2027, 2, 28)


def tighten_bound_policy(floor: Policy, own: Policy) -> tuple[Policy, tuple[PolicyDifference, ...]]:
    effective, void = tighten_clauses(bound(floor), bound(own), CONTROLS, PLANNED)
    return effective.policy, void


def bound(policy: Policy) -> BoundPolicy:
    return bind_clauses(policy, CONTROLS, PLANNED)


def with_clause(policy: Policy, **fields: Any) -> Policy:
    """The policy with its first clause changed."""
    return structs.replace(policy, clauses=(structs.replace(policy.clauses[0], **fields), *policy.clauses[1:]))


def test_policy_combined_with_itself_is_unchanged() -> None:
    assert tighten_bound_policy(FLOOR, FLOOR) == (FLOOR, ())


def test_combined_parameters_are_strictest_of_both() -> None:
    effective, void = tighten_bound_policy(FLOOR, with_clause(FLOOR, parameters={"reviewers": 3}))
    assert effective.clauses[0].parameters == {"reviewers": 3}
    assert void == ()


def test_weaker_parameter_is_ignored_and_reported() -> None:
    effective, void = tighten_bound_policy(FLOOR, with_clause(FLOOR, parameters={"reviewers": 1}))
    assert effective == FLOOR
    assert [(d.clause, d.what, d.old, d.new) for d in void] == [("two", "with.reviewers", "2", "1")]


def test_a_parameter_left_out_means_its_default() -> None:
    floor = with_clause(FLOOR, parameters={"reviewers": 1})
    effective, _ = tighten_bound_policy(floor, with_clause(FLOOR, parameters={}))
    assert effective.clauses[0].parameters == {"reviewers": 2}


def test_combined_exemption_list_is_intersection() -> None:
    own = structs.replace(FLOOR, clauses=(structs.replace(SMALL, parameters={"generated": ["b", "c"]}),))
    effective, void = tighten_bound_policy(FLOOR, own)
    assert effective.clauses[1].parameters == {"generated": ["b"]}
    assert {(d.clause, d.what) for d in void} == {("two", "removed"), ("small", "with.generated"), ("later", "removed")}


def test_omitted_clause_of_organisation_policy_stays_in_force() -> None:
    effective, void = tighten_bound_policy(FLOOR, structs.replace(FLOOR, clauses=(LATER_ONE,)))
    assert effective.clauses == FLOOR.clauses
    assert {(d.clause, d.what) for d in void} == {("two", "removed"), ("small", "removed")}


def test_additional_clause_is_added_after_organisation_clauses() -> None:
    own = structs.replace(FLOOR, clauses=(structs.replace(TWO, id="mine"), *FLOOR.clauses))
    assert [clause.id for clause in tighten_bound_policy(FLOOR, own)[0].clauses] == ["two", "small", "later", "mine"]


def test_other_control_for_organisation_clause_is_ignored() -> None:
    effective, void = tighten_bound_policy(FLOOR, with_clause(FLOOR, control="protected-history", parameters={}))
    assert effective == FLOOR
    assert [(d.clause, d.what) for d in void] == [("two", "control")]


def test_parameters_of_planned_control_come_from_organisation_policy() -> None:
    own = structs.replace(FLOOR, clauses=(TWO, SMALL, structs.replace(LATER_ONE, parameters={"suites": []})))
    effective, void = tighten_bound_policy(FLOOR, own)
    assert effective == FLOOR
    assert [(d.clause, d.what) for d in void] == [("later", "with.suites")]


def test_text_identity_and_unenforced_points_come_from_organisation_policy() -> None:
    own = structs.replace(
        with_clause(FLOOR, text="Other words."),
        owner="mallory@evil.test",
        repository="other",
        source="other.md",
        unenforced={EnforcementPoint.MERGE: "because"},
    )
    effective, void = tighten_bound_policy(FLOOR, own)
    assert effective == FLOOR
    assert [d.what for d in void] == ["unenforced"]


def test_protected_branches_and_enforcement_points_are_combined() -> None:
    own = structs.replace(
        with_clause(FLOOR, enforce=(EnforcementPoint.DEPLOY,)), protected_branches=("dev",), protected_tags=("v*",)
    )
    effective, void = tighten_bound_policy(FLOOR, own)
    assert effective.protected_branches == ("main", "dev")
    assert effective.protected_tags == ("v*",)
    assert effective.clauses[0].enforce == (EnforcementPoint.MERGE, EnforcementPoint.DEPLOY)
    assert {d.what for d in void} == {"protected branches", "enforce"}


@pytest.mark.parametrize("field", ["branches", "paths"])
@pytest.mark.parametrize(
    ("floor", "own", "effective"),
    [
        ((), ("a",), ()),
        (("a",), (), ()),
        (("a",), ("b",), ("a", "b")),
        (("a", "b"), ("b",), ("a", "b")),
    ],
)
def test_scope_of_clause_is_union_of_both(
    field: str, floor: tuple[str, ...], own: tuple[str, ...], effective: tuple[str, ...]
) -> None:
    found, _ = tighten_bound_policy(with_clause(FLOOR, **{field: floor}), with_clause(FLOOR, **{field: own}))
    assert getattr(found.clauses[0], field) == effective


@pytest.mark.parametrize(
    ("floor", "own", "effective"),
    [
        (None, JANUARY, None),
        (JANUARY, None, None),
        (JANUARY, FEBRUARY, JANUARY),
        (FEBRUARY, JANUARY, JANUARY),
    ],
)
def test_clause_is_enforced_from_earlier_of_both_dates(
    floor: datetime.date | None, own: datetime.date | None, effective: datetime.date | None
) -> None:
    found, _ = tighten_bound_policy(
        with_clause(FLOOR, monitoring_until=floor), with_clause(FLOOR, monitoring_until=own)
    )
    assert found.clauses[0].monitoring_until == effective


names = st.lists(st.sampled_from(["a", "b", "c/**"]), unique=True, max_size=3)
parameters: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "": st.just({}),
    "protected-history": st.just({}),
    "independent-review": st.fixed_dictionaries({}, optional={"reviewers": st.integers(1, 4)}),
    "small-changes": st.fixed_dictionaries(
        {}, optional={"lines": st.integers(1, 4), "files": st.integers(1, 4), "generated": names}
    ),
    "security-attention": st.fixed_dictionaries({}, optional={"sensitive": names}),
    "later-control": st.fixed_dictionaries({}, optional={"suites": names}),
}


@st.composite
def clauses(draw: st.DrawFn, id: str) -> Clause:
    control = draw(st.sampled_from(sorted(parameters)))
    return Clause(
        id=id,
        name=draw(st.sampled_from(["One", "Two"])),
        section="s",
        text=draw(st.sampled_from(["One.", "Two."])),
        control=control,
        enforce=tuple(draw(st.lists(st.sampled_from(POINTS), unique=True))),
        parameters=draw(parameters[control]),
        branches=tuple(draw(names)),
        paths=tuple(draw(names)),
        monitoring_until=draw(st.sampled_from([None, JANUARY, FEBRUARY])),
    )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    ids = draw(st.lists(st.sampled_from("xyz"), unique=True))
    return Policy(
        owner=draw(st.sampled_from(["a", "b"])),
        repository=draw(st.sampled_from(["shop", "web"])),
        source="",
        protected_branches=tuple(draw(names.filter(bool))),
        unenforced=draw(st.dictionaries(st.sampled_from(POINTS), st.sampled_from(["why", "so"]))),
        sections=(structs.replace(SECTION, owner=draw(st.sampled_from(["a", "b"]))),),
        clauses=tuple(draw(clauses(id)) for id in ids),
    )


@given(policies(), policies())
def test_combined_policy_is_never_weaker_than_organisation_policy(floor: Policy, own: Policy) -> None:
    effective, _ = tighten_clauses(bound(floor), bound(own), CONTROLS, PLANNED)
    assert [d for d in compare_policies(bound(floor), effective) if d.direction is Direction.WEAKER] == []


@given(policies(), policies())
def test_tightening_is_idempotent(floor: Policy, own: Policy) -> None:
    once, _ = tighten_bound_policy(floor, own)
    assert tighten_bound_policy(floor, once)[0] == once
    assert tighten_bound_policy(once, own)[0] == once


@given(policies(), policies())
def test_stricter_values_apply_if_controls_are_equal(floor: Policy, own: Policy) -> None:
    effective = {c.id: c for c in tighten_bound_policy(floor, own)[0].clauses}
    same = [c for c in own.clauses if c.control == effective[c.id].control and c.control in CONTROLS]
    asked = bound(structs.replace(own, clauses=tuple(same)))
    got = bound(structs.replace(own, clauses=tuple(effective[c.id] for c in same)))
    assert [d for d in compare_policies(asked, got) if d.direction is Direction.WEAKER] == []


@given(policies())
def test_generated_policy_combined_with_itself_is_unchanged(policy: Policy) -> None:
    assert tighten_bound_policy(policy, policy) == (policy, ())


def test_section_of_branch_policy_is_added_once() -> None:
    more = Section("z", "More", "lead@example.test")
    effective, _ = tighten_bound_policy(FLOOR, structs.replace(FLOOR, sections=(SECTION, more)))
    assert effective.sections == (SECTION, more)


@pytest.mark.parametrize("fields", [{"control": "renamed"}, {"parameters": {"reviewers": 0}}])
@pytest.mark.parametrize("weak", ["floor", "own"])
def test_clause_that_cannot_be_evaluated_in_either_stays_so(fields: dict[str, Any], weak: str) -> None:
    broken = with_clause(FLOOR, monitoring_until=JANUARY, paths=("a",), **fields)
    sides = (broken, FLOOR) if weak == "floor" else (FLOOR, broken)
    floor, own = (bind_known_clauses(policy, CONTROLS, PLANNED) for policy in sides)
    effective, _ = tighten_clauses(floor, own, CONTROLS, PLANNED)
    assert list(effective.clause_problems) == ["two"]
    if weak == "own":  # it blocks wherever the clause of the floor does
        assert effective.policy.clauses[0].monitoring_until is None
        assert effective.policy.clauses[0].paths == ()
