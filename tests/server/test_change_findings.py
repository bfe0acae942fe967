"""Findings and questions on the page of a change: with remedy, reason and place, and never more than seven."""

import pytest

from muniment.controls import no_new_findings, security_attention
from muniment.decision.decision import Outcome
from muniment.decision.report import DecisionReport, PolicyReference, ReasonReport, ResultReport, RevisionReport
from muniment.policy import guide
from muniment.policy.model import EnforcementPoint
from muniment.server.changes.change_findings import MOST_QUESTIONS, list_change_findings, list_review_questions

FINDING: dict[str, str | int] = {
    "path": "shop/orders.py",
    "line": 7,
    "requirement": "Values are parameters.",
    "rule": "sql-injection",
    "severity": "critical",
}


def report(*results: ResultReport) -> DecisionReport:
    return DecisionReport(
        decision=Outcome.DENY,
        point=EnforcementPoint.MERGE,
        preview=False,
        time="2026-11-24T09:12:00Z",
        policy=PolicyReference("sha256:00"),
        facts="sha256:01",
        revision=RevisionReport("shop", "refs/heads/main", "", "a" * 40, "forward"),
        results=results,
        reasons=(),
        contributors=(),
        merger="",
        approvals=(),
        eligible_reviewers=(),
        missing_facts=(),
    )


def result(control: str, *reasons: ReasonReport) -> ResultReport:
    return ResultReport("c", "Text.", control, 1, "violated", True, "", reasons)


def found(rule: str, code: str = "new-finding", **changed: str | int) -> ReasonReport:
    return ReasonReport(code, "", "", "path:a", {**FINDING, "rule": rule, **changed})


def scanned(*reasons: ReasonReport) -> ResultReport:
    return result(no_new_findings.CONTROL.name, *reasons)


def test_each_finding_is_listed_once_with_its_remedy() -> None:
    other = ReasonReport("no-finding", "", "", "commit:a", {"count": 3, "engines": "python"})
    one = found("sql-injection")
    (finding,) = list_change_findings(report(scanned(one, other), scanned(one)))
    assert (finding.shown_place, finding.severity, finding.cwe) == ("shop/orders.py:7", "critical", 89)
    assert "cursor.execute" in finding.remedy


def test_finding_of_each_own_engine_has_a_remedy() -> None:
    rules = ("sql-injection", "js-sql-injection", "token-in-code", "ignore-comment-form")
    listed = list_change_findings(report(scanned(*(found(rule) for rule in rules))))
    assert [finding.rule for finding in listed if not finding.remedy] == []


def test_a_secret_has_no_severity_and_an_unknown_rule_no_remedy() -> None:
    details = {name: value for name, value in FINDING.items() if name != "severity"} | {"rule": "token-in-code"}
    secret = ReasonReport("secret-in-code", "", "", "path:a", details)
    first, second = list_change_findings(report(scanned(secret, found("of-another-tool"))))
    assert (first.severity, second.remedy, second.cwe) == ("", "", 0)
    assert first.remedy


def test_a_weakness_asks_its_question_once_with_reason_and_place() -> None:
    made = report(scanned(found("sql-injection"), found("command-injection", path="b.py")))
    (question,) = list_review_questions(made, (), list_change_findings(made))
    assert question.place == "shop/orders.py:7"
    assert "input becomes part of a text" in question.why


def test_a_topic_asks_its_questions_with_the_path_that_touches_it() -> None:
    details: dict[str, str | int] = {"topics": "pipeline", "path": ".github/workflows/ci.yml"}
    made = report(
        result(security_attention.CONTROL.name, ReasonReport("no-security-approval", "", "", "path:a", details))
    )
    questions = list_review_questions(made, ("pipeline", "unheard-of"), ())
    assert [one.place for one in questions] == [".github/workflows/ci.yml"] * 2
    assert questions[0].why == "the change touches: pipeline"


@pytest.mark.parametrize("topics", [(), guide.TOPICS])
def test_there_are_at_most_seven_questions(topics: tuple[str, ...]) -> None:
    rules = ("sql-injection", "path-traversal", "weak-hash", "open-redirect", "exposed-error", "unsafe-deserialization")
    made = report(scanned(*map(found, rules)))
    questions = list_review_questions(made, topics, list_change_findings(made))
    assert len(questions) == min(MOST_QUESTIONS, len(rules) + len(topics))
    assert len({one.text for one in questions}) == len(questions)
