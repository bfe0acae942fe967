from typing import Annotated

import pytest
from msgspec import Meta, Struct

from muniment.controls.control import Control, NoParameters, ReasonCodes, Scope, met
from muniment.decision.binding import bind_clauses
from muniment.decision.catalogue import CONTROLS
from muniment.errors import PolicyError
from muniment.policy.document import parse_policy
from muniment.policy.parameters import Stricter, Unit

PLANNED = frozenset({"later-control", "even-later"})  # the catalogue has fewer with each version

POLICY = """schema = 1
owner = "sec@example.test"
repository = "shop"

[branches]
protected = ["main"]

[[section]]
id = "s"
name = "Section"
owner = "sec@example.test"

[[clause]]
id = "first"
name = "First"
section = "s"
text = "The first."
control = "protected-history"
enforce = ["merge"]

[[clause]]
id = "two"
name = "Two"
section = "s"
text = "All code is reviewed by two others."
control = "independent-review"
enforce = ["merge"]
with = { reviewers = 3 }

[[clause]]
id = "small"
name = "Small"
section = "s"
text = "Small."
control = "small-changes"
enforce = ["merge"]
[clause.with]
lines = 100
generated = ["**/*.lock"]

[[clause]]
id = "later"
name = "Later"
section = "s"
text = "Tests pass."
control = "later-control"
enforce = []
with = { whatever = 1 }

[[clause]]
id = "uncovered"
name = "Uncovered"
section = "s"
text = "We are kind."
enforce = []
"""


def bound(text: str) -> dict[str, object]:
    policy = bind_clauses(parse_policy(text, "policy.toml"), CONTROLS, PLANNED, "policy.toml", text)
    return {clause.clause.id: (clause.control, clause.parameters, clause.is_planned) for clause in policy.clauses}


def refusal(old: str, new: str) -> PolicyError:
    assert POLICY.count(old) == 1
    with pytest.raises(PolicyError) as caught:
        bound(POLICY.replace(old, new))
    assert caught.value.remedy
    return caught.value


def test_each_clause_gets_its_control_with_its_own_parameters() -> None:
    found = bound(POLICY)
    two, small = CONTROLS["independent-review"], CONTROLS["small-changes"]
    assert found["two"] == (two, two.parameters(reviewers=3), False)
    assert found["small"] == (small, small.parameters(lines=100, generated=("**/*.lock",)), False)
    assert found["first"] == (CONTROLS["protected-history"], NoParameters(), False)


def test_planned_control_is_marked_unavailable() -> None:
    assert bound(POLICY)["later"] == (None, None, True)


def test_a_clause_without_a_control_is_bound_to_none() -> None:
    assert bound(POLICY)["uncovered"] == (None, None, False)


def test_binding_leaves_policy_unchanged() -> None:
    policy = parse_policy(POLICY, "policy.toml")
    assert bind_clauses(policy, CONTROLS, PLANNED).policy is policy


@pytest.mark.parametrize(
    ("old", "new", "line", "key", "problem"),
    [
        ('"independent-review"', '"reviewed"', 26, 'clause "two" control', "found 'reviewed'"),
        ("reviewers = 3", "reviewers = 0", 28, 'clause "two" with.reviewers', "a whole number >= 1, found 0"),
        ("reviewers = 3", "reviewers = true", 28, 'clause "two" with.reviewers', "found true"),
        ("reviewers = 3", 'reviewers = "3"', 28, 'clause "two" with.reviewers', "a whole number, found '3'"),
        ("reviewers = 3", "reviewrs = 3", 28, 'clause "two" with.reviewrs', 'found "reviewrs"'),
        ("lines = 100", "lines = -1", 38, 'clause "small" with.lines', "found -1"),
        ('"**/*.lock"', "1", 39, 'clause "small" with.generated', "a text, found [1]"),
        ('["**/*.lock"]', '"**/*.lock"', 39, 'clause "small" with.generated', "a list, found"),
        ('"**/*.lock"', '"/x"', 39, 'clause "small" with.generated', "begins with /"),
        (
            'control = "protected-history"',
            'control = "protected-history"\nwith.x = 1',
            19,
            'clause "first" with.x',
            'found "x"',
        ),
    ],
)
def test_error_names_line_and_key(old: str, new: str, line: int, key: str, problem: str) -> None:
    error = refusal(old, new)
    assert (error.where, error.key) == (f"policy.toml:{line}", key)
    assert problem in error.problem


def test_unknown_control_error_lists_known_controls() -> None:
    remedy = refusal('"independent-review"', '"reviewed"').remedy
    assert all(name in remedy for name in (*CONTROLS, *PLANNED))


def test_wrong_parameter_error_lists_known_parameters_with_defaults_and_units() -> None:
    assert "reviewers = 2 (people)" in refusal("reviewers = 3", "reviewers = 0").remedy
    assert "generated = [] (paths)" in refusal("lines = 100", "lines = 0").remedy
    remedy = refusal('control = "protected-history"', 'control = "protected-history"\nwith.x = 1').remedy
    assert remedy == "The parameters of protected-history are: none."


def test_error_without_source_text_names_document() -> None:
    policy = parse_policy(POLICY.replace("reviewers = 3", "reviewers = 0"), "policy.toml")
    with pytest.raises(PolicyError) as caught:
        bind_clauses(policy, CONTROLS, PLANNED)
    assert caught.value.where == "policy.toml"


class Lenient(Struct, frozen=True):
    """Parameters that do not forbid unknown names."""

    count: Annotated[int, Meta(ge=1), Unit("things"), Stricter.HIGHER] = 1


class Fine(ReasonCodes):
    """Reasons with one code."""

    FINE = met("Fine.")


def test_refuses_unknown_parameter_even_if_struct_accepts_it() -> None:
    control = Control("lenient", 1, "Lenient.", Scope.REVISION, (), Lenient, Fine, lambda case: (Fine.FINE("x:y"),))
    text = POLICY.replace('"independent-review"', '"lenient"')
    with pytest.raises(PolicyError, match=r"with\.reviewers"):
        bind_clauses(parse_policy(text, "p"), {**CONTROLS, "lenient": control}, PLANNED, "p", text)
