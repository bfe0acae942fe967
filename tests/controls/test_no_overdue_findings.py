"""Control of due dates: what is overdue, what a decision excuses, and which code is unknown."""

from typing import Any

import pytest

from muniment.controls.control import Case, ResultStatus
from muniment.controls.no_overdue_findings import CONTROL
from muniment.decision.decision import format_sentences
from muniment.facts.code_facts import UnscannedFile
from muniment.facts.finding_facts import BranchScan, OpenFinding, ProductFindings
from muniment.facts.maybe import Known
from tests.support.changes import values

NOW = "2026-11-24T09:00:00.000000Z"
BEFORE = "2026-11-20T09:00:00.000000Z"  # 4 days
SCAN = BranchScan("shop", "main", BEFORE)
MET, VIOLATED, UNKNOWN = ResultStatus.MET, ResultStatus.VIOLATED, ResultStatus.UNKNOWN


def evaluate(*findings: OpenFinding, scan: BranchScan | None = SCAN, **parameters: Any) -> list[tuple[str, str]]:
    facts = values(product_findings=Known(ProductFindings((scan,) if scan else (), findings)))
    case = Case(facts, CONTROL.parameters(**parameters), NOW, {})
    return [(reason.status, format_sentences(CONTROL.codes, reason)[0]) for reason in CONTROL.evaluate(case)]


def finding(severity: str = "critical", since: str = BEFORE, **more: Any) -> OpenFinding:
    return OpenFinding(7, "sql-injection", severity, "shop/orders.py", since, **more)


def test_a_product_without_repository_has_nothing_to_scan() -> None:
    assert evaluate(scan=None) == [(ResultStatus.NOT_APPLICABLE, "The product has no repository.")]


@pytest.mark.parametrize(
    ("severity", "days", "due"),
    [("critical", 2, "22"), ("high", 4, "24"), ("medium", 3, "23"), ("low", 1, "21"), ("severe", 3, "23")],
)
def test_each_severity_has_its_due_date_and_another_word_is_high(severity: str, days: int, due: str) -> None:
    key = f"{severity}_days" if severity != "severe" else "high_days"
    limits: dict[str, Any] = {key: days}
    since = "2026-11-20T08:00:00.000000Z"
    assert evaluate(finding(severity, since), **limits) == [
        (
            VIOLATED,
            f"Finding 7 in shop/orders.py was due on 2026-11-{due}. Rule sql-injection, severity {severity}.",
        )
    ]
    limits = {key: 5}
    assert evaluate(finding(severity, since), **limits) == [(MET, "No finding is overdue; 1 are open and not due yet.")]


def test_a_decision_excuses_until_its_end() -> None:
    decided = finding(decision="accepted", decided_until="2026-12-01T00:00:00.000000Z")
    assert evaluate(decided) == [
        (MET, "No finding is overdue; 0 are open and not due yet."),
        (MET, "Finding 7 (sql-injection) is accepted until 2026-12-01."),
    ]
    over = finding(decision="false-positive", decided_until=NOW)
    assert [status for status, _ in evaluate(over)] == [VIOLATED]


@pytest.mark.parametrize(
    ("scan", "sentence"),
    [
        (BranchScan("shop", "main", ""), "main of shop was not scanned yet."),
        (BranchScan("shop", "main", "", "no such folder"), "main of shop could not be scanned: no such folder."),
        (BranchScan("shop", "main", BEFORE, "it hangs"), "main of shop could not be scanned: it hangs."),
        (
            BranchScan("shop", "main", "2026-11-01T09:00:00.000000Z"),
            "The newest scan of main of shop is of 2026-11-01.",
        ),
        (
            BranchScan("shop", "main", BEFORE, unscanned=(UnscannedFile("a.py", "it is no text"),)),
            "a.py could not be scanned: it is no text.",
        ),
        (
            BranchScan("shop", "main", BEFORE, languages=("Go",)),
            "No engine reads Go in shop: only secrets are looked for.",
        ),
    ],
)
def test_code_that_was_not_scanned_is_unknown(scan: BranchScan, sentence: str) -> None:
    assert (UNKNOWN, sentence) in evaluate(scan=scan)


def test_the_policy_can_allow_a_language_without_an_engine() -> None:
    scan = BranchScan("shop", "main", BEFORE, languages=("Go",))
    assert [status for status, _ in evaluate(scan=scan, allowed_languages=("Go",))] == [MET]
