"""Controls of the six principles: the problems of a product, those that a change brings, and what is unknown."""

import pytest

from muniment.controls import (
    complete_mediation,
    least_privilege,
    multiple_security_layers,
    privilege_separation,
    secure_failure,
    user_friendly_security,
)
from muniment.controls.control import Case, NoParameters, ResultStatus, Scope
from muniment.decision.decision import format_sentences
from muniment.facts.design_facts import DesignEvaluation, DesignProblem, PrincipleState
from muniment.facts.maybe import Known
from tests.support.changes import NOW, values

CONTROLS = (
    least_privilege.CONTROL,
    privilege_separation.CONTROL,
    complete_mediation.CONTROL,
    multiple_security_layers.CONTROL,
    secure_failure.CONTROL,
    user_friendly_security.CONTROL,
)
MET, VIOLATED, UNKNOWN = ResultStatus.MET, ResultStatus.VIOLATED, ResultStatus.UNKNOWN
OPEN = DesignProblem("open-path", "violated", "orders is open.", "Put a guard there.", ("visitor", "web", "orders"))
ROUTE = DesignProblem("unguarded-route", "violated", "GET / has no guard.", "Guard it.", where="app.py:3")
UNREAD = DesignProblem("unread-source", "unknown", "Routes in x.py are unknown.", "Correct it.")
CHAIN = DesignProblem("failure-unknown", "unknown", "The failure is unknown.", "Test it.", ("visitor", "web"))


def state(*problems: DesignProblem, examined: int = 3, count: int | None = None, earlier: int = 0) -> PrincipleState:
    found = len(problems) if count is None else count
    return PrincipleState("complete-mediation", "shown on the model", examined, problems, found, earlier)


def evaluate(design: DesignEvaluation, control: int = 2) -> list[tuple[str, str, str]]:
    case = Case(values(design=Known(design)), NoParameters(), NOW, {})
    chosen = CONTROLS[control]
    return [(reason.status, *format_sentences(chosen.codes, reason)) for reason in chosen.evaluate(case)]


def test_each_principle_is_one_control_of_the_product() -> None:
    assert [control.name for control in CONTROLS] == [
        "least-privilege",
        "privilege-separation",
        "complete-mediation",
        "multiple-security-layers",
        "secure-failure",
        "user-friendly-security",
    ]
    assert {control.scope for control in CONTROLS} == {Scope.PRODUCT}


@pytest.mark.parametrize("number", range(6))
def test_without_a_design_each_principle_is_unknown_and_the_next_step_drafts_one(number: int) -> None:
    [(status, message, remedy)] = evaluate(DesignEvaluation(False), number)
    assert status == UNKNOWN
    assert message == "The product has no design model: no repository of it has a file design.toml."
    assert "muniment design init" in remedy


def test_a_design_that_cannot_be_read_is_unknown_with_the_reason() -> None:
    design = DesignEvaluation(True, "design.toml:3: the key is unknown.", (state(),))
    [(status, message, remedy)] = evaluate(design)
    assert (status, remedy) == (UNKNOWN, "Correct it, then run: muniment design check")
    assert message == "The design cannot be read: design.toml:3: the key is unknown."


def test_a_branch_that_is_removed_needs_no_design() -> None:
    [(status, _, _)] = evaluate(DesignEvaluation(False, is_removed=True))
    assert status == ResultStatus.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("design", "status", "message"),
    [
        (state(), MET, "No problem found in 3 parts of the design. Basis: shown on the model."),
        (state(OPEN), VIOLATED, "orders is open. Path: visitor → web → orders. Basis: shown on the model."),
        (state(ROUTE), VIOLATED, "GET / has no guard. Basis: shown on the model."),
        (state(UNREAD), UNKNOWN, "Routes in x.py are unknown. Basis: shown on the model."),
        (state(CHAIN), UNKNOWN, "The failure is unknown. Path: visitor → web. Basis: shown on the model."),
        (
            state(examined=0),
            UNKNOWN,
            "The design names nothing that this principle is about. Basis: shown on the model.",
        ),
        (
            state(earlier=4),
            MET,
            "The change brings none of the 4 problems of the design. Basis: shown on the model.",
        ),
    ],
)
def test_each_result_names_its_basis_and_the_path(design: PrincipleState, status: str, message: str) -> None:
    found = evaluate(DesignEvaluation(True, states=(design,)))
    assert [(one, text) for one, text, _ in found] == [(status, message)]


def test_problems_that_are_not_listed_are_never_met() -> None:
    found = evaluate(DesignEvaluation(True, states=(state(count=2),)))
    assert [(status, message) for status, message, _ in found] == [(UNKNOWN, "2 more problems are not listed here.")]


def test_a_problem_of_another_status_is_unknown() -> None:
    odd = DesignProblem("x", "fine", "It is fine.", "Nothing to do.")
    [(status, _, _)] = evaluate(DesignEvaluation(True, states=(state(odd),)))
    assert status == UNKNOWN


def test_a_principle_without_a_result_is_unknown() -> None:
    [(status, _, remedy)] = evaluate(DesignEvaluation(True, states=(state(),)), 0)
    assert (status, remedy) == (UNKNOWN, "Run: muniment design check")


def test_model_and_code_are_two_results_of_one_principle() -> None:
    code = PrincipleState("complete-mediation", "parsed from the code", 9, (ROUTE,), 1)
    found = evaluate(DesignEvaluation(True, states=(state(), code)))
    assert [status for status, _, _ in found] == [MET, VIOLATED]
