"""Explanations of statements that do not count, and whether a policy protects history."""

from typing import Any

import pytest
from msgspec import structs

from muniment.controls.review_statements import Objection
from muniment.decision.bound_policies import read_bound_policy
from muniment.decision.evaluation import evaluate_policy
from muniment.decision.history_protection import is_history_protected
from muniment.decision.report import DecisionReport, build_decision_report
from muniment.decision.uncounted_statements import explain_uncounted, select_notable
from muniment.facts.maybe import Known
from muniment.facts.statements import ReviewAction
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.policy.model import EnforcementPoint
from tests.support.changes import NOW, approval, facts, values

BUILT_IN = read_bound_policy(format_built_in_policy("a@example.test", "shop"), "built-in")


def report_of(**changed: Any) -> DecisionReport:
    given = facts(values(**changed))
    return build_decision_report(evaluate_policy(BUILT_IN, given, EnforcementPoint.MERGE, NOW), BUILT_IN, given)


def test_statement_replaced_by_later_one_is_not_reported() -> None:
    words = (
        approval("bob"),
        approval("bob", order=1),
        approval("carol", action=ReviewAction.WITHDRAW, repository="other"),
        approval("sue"),
    )
    report = report_of(approvals=Known(words))
    text = list(select_notable(report.approvals))
    assert [one.person for one in text] == ["carol"]
    assert explain_uncounted(text[0]) == "it is for another repository; it was withdrawn"


def test_replaced_attestation_is_not_reported_next_to_the_one_that_replaced_it() -> None:
    visible = report_of().approvals[0]
    attested, replaced = Objection.ATTESTED.value, Objection.REPLACED.value
    older, newer = (
        structs.replace(visible, counted=False, reasons_not_counted=codes)
        for codes in ((attested, replaced), (attested,))
    )
    assert list(select_notable((older, newer))) == [newer]


def test_reason_code_without_sentence_is_shown_as_code() -> None:
    report = report_of().approvals[0]
    assert explain_uncounted(structs.replace(report, reasons_not_counted=("new-code", Objection.INACTIVE.value))) == (
        "new-code; they are not active any more"
    )


@pytest.mark.parametrize(
    ("change", "stored"),
    [
        ({}, True),
        ({"enforce": ()}, False),
        ({"monitoring_until": "2027-01-01T00:00:00.000000Z"}, False),
        ({"branches": ("refs/heads/release/*",)}, False),
        ({"paths": ("src/**",)}, False),
    ],
)
def test_history_is_protected_only_by_clause_enforced_on_all_branches(change: dict[str, Any], stored: bool) -> None:
    clauses = tuple(
        structs.replace(bound, clause=structs.replace(bound.clause, **change))
        if bound.clause.control == "protected-history"
        else bound
        for bound in BUILT_IN.clauses
    )
    assert is_history_protected(structs.replace(BUILT_IN, clauses=clauses)) is stored


def test_history_is_not_protected_without_clause() -> None:
    others = tuple(bound for bound in BUILT_IN.clauses if bound.clause.control != "protected-history")
    assert not is_history_protected(structs.replace(BUILT_IN, clauses=others))
