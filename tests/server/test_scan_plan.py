"""Plan of a scan: whatever moves, is copied or renamed, no finding is lost or doubled."""

import random

from msgspec import structs

from muniment.scanners.findings import Confidence, CoverageState, Finding, Location, Severity
from muniment.scanners.fingerprints import compute_fingerprint
from muniment.server.findings.scan_plan import ScanPlan, StoredFinding, plan_scan
from muniment.workflows.branch_scan import BranchScanResult, FileResult

ENGINE = "muniment-python"


def make_finding(path: str, line: int, symbol: str, snippet: str, occurrence: int = 0) -> Finding:
    return Finding(
        rule="weak-hash",
        requirement="Digests use SHA-256.",
        cwe=328,
        owasp_2021="",
        owasp_2025="",
        severity=Severity.LOW,
        impact="",
        message="",
        remedy="",
        location=Location(path, line, 1, line, 9),
        steps=(),
        confidence=Confidence.HIGH,
        symbol=symbol,
        snippet=snippet,
        fingerprint=compute_fingerprint("weak-hash", snippet, symbol, occurrence),
    )


def make_result(files: dict[str, list[Finding]], state: CoverageState = CoverageState.SCANNED) -> BranchScanResult:
    lines: dict[str, tuple[FileResult, ...]] = {
        path: (FileResult(path, ENGINE, state, "", tuple(found)),) for path, found in files.items()
    }
    return BranchScanResult(dict.fromkeys(files, 1), lines, len(files))


class Rows:
    """Stored findings, changed as the act of a scan changes them."""

    def __init__(self) -> None:
        self.rows: dict[int, StoredFinding] = {}

    def take(self, result: BranchScanResult) -> ScanPlan:
        plan = plan_scan(result, self.rows.values(), frozenset())
        for one in (*plan.reopened, *plan.changed, *plan.moved):
            found = one.finding
            self.rows[one.number] = structs.replace(
                self.rows[one.number],
                fingerprint=found.fingerprint,
                copy=one.copy,
                path=found.location.path,
                line=found.location.line,
                snippet=found.snippet,
                severity=found.severity.value,
            )
        for one in plan.reopened:
            self.rows[one.number] = structs.replace(self.rows[one.number], is_gone=False)
        for number in plan.gone:
            self.rows[number] = structs.replace(self.rows[number], is_gone=True)
        for new in plan.new:
            number, found = len(self.rows) + 1, new.finding
            self.rows[number] = StoredFinding(
                *(number, new.tool, found.rule, found.fingerprint, new.copy),
                *(found.location.path, found.location.line, found.snippet, found.severity.value, False),
            )
        keys = [(row.tool, row.fingerprint, row.copy) for row in self.rows.values()]
        assert len(keys) == len(set(keys))
        return plan

    def list_open(self) -> list[tuple[str, int]]:
        return sorted((row.path, row.line) for row in self.rows.values() if not row.is_gone)


def test_no_refactoring_loses_or_doubles_a_finding() -> None:
    for seed in range(500):
        refactor(random.Random(seed))


def refactor(rng: random.Random) -> None:
    """Move and rename code at random, and compare."""
    files = {
        f"f{number}.py": [
            make_finding(f"f{number}.py", line * 3 + 1, rng.choice(("save", "load")), rng.choice(("md5(a)", "md5(b)")))
            for line in range(rng.randrange(4))
        ]
        for number in range(4)
    }
    rows = Rows()
    rows.take(make_result(files))
    total = sum(map(len, files.values()))
    assert len(rows.list_open()) == len(rows.rows) == total
    moved: dict[str, list[Finding]] = {}
    for path, found in files.items():
        place = rng.choice((path, f"moved/{path}"))
        shift = rng.randrange(9)
        name = rng.choice(("", "store"))  # of the function, if it gets another
        for one in found:
            moved.setdefault(place, []).append(
                make_finding(place, one.location.line + shift, name or one.symbol, one.snippet)
            )
    plan = rows.take(make_result(moved))
    assert (plan.new, plan.gone) == ((), ())
    assert rows.list_open() == sorted((one.location.path, one.location.line) for all in moved.values() for one in all)
    assert not rows.take(make_result(moved)).needs_record


def test_a_copy_is_a_finding_of_its_own_and_goes_alone() -> None:
    rows = Rows()
    one, two = make_finding("a.py", 1, "f", "md5(a)"), make_finding("b.py", 1, "f", "md5(a)")
    rows.take(make_result({"a.py": [one]}))
    assert len(rows.take(make_result({"a.py": [one], "b.py": [two]})).new) == 1
    assert len(rows.take(make_result({"a.py": [], "b.py": [two]})).gone) == 1
    assert rows.list_open() == [("b.py", 1)]
    assert len(rows.take(make_result({"a.py": [one], "b.py": [two]})).reopened) == 1


def test_a_file_that_was_not_read_closes_nothing() -> None:
    rows = Rows()
    one = make_finding("a.py", 1, "f", "md5(a)")
    rows.take(make_result({"a.py": [one]}))
    for state in (CoverageState.FAILED, CoverageState.PARTIAL):
        assert rows.take(make_result({"a.py": []}, state)).gone == ()
        assert rows.take(make_result({"elsewhere.py": []}, state)).gone == ()
    assert rows.take(make_result({"a.py": []})).gone == (1,)


def test_a_raised_severity_is_a_change_and_a_lowered_one_is_none() -> None:
    rows = Rows()
    one = make_finding("a.py", 1, "f", "md5(a)")
    raised = structs.replace(one, severity=Severity.HIGH)
    rows.take(make_result({"a.py": [one]}))
    assert len(rows.take(make_result({"a.py": [raised]})).changed) == 1
    assert not rows.take(make_result({"a.py": [one]})).needs_record
