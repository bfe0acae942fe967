"""Control of new findings: what blocks a change, what is only shown, and what is unknown."""

from typing import Any

import pytest

from muniment.controls.control import Case, ResultStatus
from muniment.controls.no_new_findings import CONTROL
from muniment.decision.decision import format_sentences
from muniment.facts.change import Revision, UpdateKind
from muniment.facts.code_facts import ChangeScan, CodeFinding, UnscannedFile
from muniment.facts.maybe import Known
from tests.support.changes import values

NOW = "2026-11-24T09:00:00.000000Z"
BASE, HEAD = "b" * 40, "a" * 40
FINDING = CodeFinding("sql-injection", "Values are parameters.", 89, "critical", "shop/orders.py", 7, "f" * 32)
SECRET = CodeFinding("token-in-code", "Credentials are in the vault.", 798, "critical", "a.py", 1, "e" * 32, True)
LOW = CodeFinding("weak-hash", "Digests use SHA-256.", 328, "low", "b.py", 2, "d" * 32)


def evaluate(scan: ChangeScan, parameters: Any = None) -> list[tuple[ResultStatus, str]]:
    revision = Known(Revision("shop", "refs/heads/main", BASE, HEAD, Known(UpdateKind.FAST_FORWARD)))
    facts = values(revision=revision, change_scan=Known(scan))
    case = Case(facts, CONTROL.parameters(**(parameters or {})), NOW, {})
    return [(reason.status, format_sentences(CONTROL.codes, reason)[0]) for reason in CONTROL.evaluate(case)]


def scan(*findings: CodeFinding, unscanned: tuple[UnscannedFile, ...] = (), **more: Any) -> ChangeScan:
    return ChangeScan(("python",), more.get("scanned", 3), findings, unscanned, more.get("languages", ()))


@pytest.mark.parametrize(
    ("found", "status", "sentence"),
    [
        (scan(), ResultStatus.MET, "No new finding in 3 files, scanned by python."),
        (scan(scanned=0), ResultStatus.NOT_APPLICABLE, "The change adds and alters no file."),
        (
            scan(FINDING),
            ResultStatus.VIOLATED,
            "shop/orders.py, line 7: Values are parameters. Rule sql-injection, severity critical.",
        ),
        (scan(SECRET), ResultStatus.VIOLATED, "a.py, line 1: Credentials are in the vault. Rule token-in-code."),
        (
            scan(LOW),
            ResultStatus.MET,
            "b.py, line 2: Digests use SHA-256. Rule weak-hash, severity low. This does not block.",
        ),
        (
            scan(unscanned=(UnscannedFile("c.py", "it is too large"),), scanned=0),
            ResultStatus.UNKNOWN,
            "c.py could not be scanned: it is too large.",
        ),
    ],
)
def test_each_finding_and_each_unscanned_file_has_its_reason(
    found: ChangeScan, status: ResultStatus, sentence: str
) -> None:
    assert evaluate(found) == [(status, sentence)]


def test_the_policy_chooses_severities_and_a_secret_blocks_whatever_it_chooses() -> None:
    assert [status for status, _ in evaluate(scan(LOW), {"severities": ("low",)})] == [ResultStatus.VIOLATED]
    statuses = [status for status, _ in evaluate(scan(FINDING, SECRET), {"severities": ()})]
    assert statuses == [ResultStatus.MET, ResultStatus.VIOLATED]


def test_a_language_that_is_not_read_is_named() -> None:
    assert evaluate(scan(languages=("Go", "Java")))[1] == (
        ResultStatus.MET,
        "Go, Java: only secrets are looked for in files of this language.",
    )
