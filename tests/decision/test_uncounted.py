"""What is said of statements that do not count, and whether a policy keeps history."""

from typing import Any

import pytest
from msgspec import structs

from muniment.controls.review_statements import WhyNot
from muniment.decision.account import DecisionReport, account
from muniment.decision.judge import judge
from muniment.decision.kept_history import keeps_history
from muniment.decision.policies import read_bound_policy
from muniment.decision.uncounted import sentence, worth_telling
from muniment.facts.maybe import Known
from muniment.facts.statements import ReviewAction
from muniment.policy.model import Point
from muniment.policy.pack import pack_text
from tests.support.changes import NOW, approval, facts, values

BUILT_IN = read_bound_policy(pack_text("a@example.test", "shop"), "built-in")


def report_of(**changed: Any) -> DecisionReport:
    given = facts(values(**changed))
    return account(judge(BUILT_IN, given, Point.MERGE, NOW), BUILT_IN, given)


def test_a_statement_that_only_a_later_one_replaced_is_not_worth_telling() -> None:
    words = (
        approval("bob"),
        approval("bob", order=1),
        approval("carol", action=ReviewAction.WITHDRAW, repository="other"),
        approval("sue"),
    )
    report = report_of(approvals=Known(words))
    told = list(worth_telling(report.approvals))
    assert [one.person for one in told] == ["carol"]
    assert sentence(told[0]) == "it is for another repository; it was withdrawn"


def test_a_code_without_a_sentence_is_told_as_it_is() -> None:
    report = report_of().approvals[0]
    assert sentence(structs.replace(report, reasons_not_counted=("new-code", WhyNot.INACTIVE.value))) == (
        "new-code; they are not active any more"
    )


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({}, True),
        ({"enforce": ()}, False),
        ({"monitoring_until": "2027-01-01T00:00:00.000000Z"}, False),
        ({"branches": ("refs/heads/release/*",)}, False),
        ({"paths": ("src/**",)}, False),
    ],
)
def test_history_is_kept_by_a_clause_that_is_enforced_everywhere(change: dict[str, Any], kept: bool) -> None:
    clauses = tuple(
        structs.replace(bound, clause=structs.replace(bound.clause, **change))
        if bound.clause.control == "protected-history"
        else bound
        for bound in BUILT_IN.clauses
    )
    assert keeps_history(structs.replace(BUILT_IN, clauses=clauses)) is kept


def test_without_the_clause_history_is_not_kept() -> None:
    others = tuple(bound for bound in BUILT_IN.clauses if bound.clause.control != "protected-history")
    assert not keeps_history(structs.replace(BUILT_IN, clauses=others))
