"""What an import changes: it closes only what it covers, and the same file again changes nothing."""

from msgspec.structs import replace

from muniment.scanners.imports.import_changes import KnownFinding, compare_import
from muniment.scanners.imports.import_coverage import (
    CoverageDeclaration,
    CoverageKind,
    ImportCanary,
    ImportCoverage,
    find_coverage,
)
from muniment.scanners.imports.sarif_import import ImportedFinding, ImportedRun, RunEnd, parse_import
from tests.scanners.sarif_files import codeql, semgrep, trivy, write, zap

CANARY = ImportCanary("python.lang.command-line", "shop/views.py")
PYTHON = CoverageDeclaration(("shop/*",), ("Python",))


def read(run: object) -> ImportedRun:
    return parse_import(write(run), b"k").runs[0]


def know(run: ImportedRun, finding: ImportedFinding, *, branch: str = "main", **more: object) -> KnownFinding:
    key = f"{finding.fingerprint}:{finding.place}"
    known = KnownFinding(key, run.tool, run.category, branch, finding.fingerprint, finding.place, is_open=True)
    return replace(known, **more)


def empty(run: ImportedRun) -> ImportedRun:
    return replace(run, findings=())


def test_a_run_counts_for_the_files_that_it_lists() -> None:
    coverage = find_coverage(read(codeql()))
    assert (coverage.kind, coverage.because) == (CoverageKind.LISTED, "")
    assert coverage.covers_place("src/orders.js")
    assert not coverage.covers_place("src/other.js")


def test_files_that_failed_and_files_that_were_only_configuration_do_not_count() -> None:
    run = codeql()
    run["artifacts"][1]["roles"] = ["toolSpecifiedConfiguration"]  # type: ignore[index]
    where = {"physicalLocation": {"artifactLocation": {"uri": "src/orders.js"}}}
    note = {"level": "error", "message": {"text": "no memory"}, "locations": [where]}
    run["invocations"] = [{"executionSuccessful": True, "toolExecutionNotifications": [note]}]
    coverage = find_coverage(read(run))
    assert (coverage.kind, coverage.because) == (CoverageKind.NONE, "its list names no file that was scanned")
    note["locations"] = []
    assert "did not end well" in find_coverage(read(run), tool_list=("a.py",)).because


def test_a_list_beside_the_file_counts_and_an_empty_one_counts_for_nothing() -> None:
    run = read(trivy())
    assert find_coverage(run, tool_list=("web/package-lock.json",)).covers_place("web/package-lock.json")
    assert find_coverage(run, tool_list=()).kind is CoverageKind.NONE


def test_without_a_list_a_run_needs_a_good_end_its_canary_and_a_declaration() -> None:
    run = read(semgrep())
    coverage = find_coverage(run, canary=CANARY, declaration=PYTHON)
    assert (coverage.kind, coverage.because) == (CoverageKind.DECLARED, "coverage declared")
    assert [coverage.covers_place(one) for one in ("shop/a/b.py", "shop/a.js", "web/a.py")] == [True, False, False]
    assert find_coverage(run, declaration=PYTHON).because == "it lists no file, and no canary is declared"
    assert "did not find its canary" in find_coverage(empty(run), canary=CANARY, declaration=PYTHON).because
    assert "is not declared" in find_coverage(run, canary=CANARY).because
    assert "is not declared" in find_coverage(run, canary=CANARY, declaration=CoverageDeclaration(())).because
    for end in (RunEnd.UNKNOWN, RunEnd.PARTLY):
        unsure = find_coverage(replace(run, end=end), canary=CANARY, declaration=PYTHON)
        assert "does not say that it ended well" in unsure.because
    assert find_coverage(replace(run, end=RunEnd.BADLY), canary=CANARY, declaration=PYTHON).kind is CoverageKind.NONE


def test_the_canary_is_no_finding() -> None:
    run = read(semgrep())
    changes = compare_import((), run, branch="main", coverage=find_coverage(run), canary=CANARY)
    assert changes.new == ()


def test_the_same_file_again_changes_nothing() -> None:
    run = read(codeql())
    known = [know(run, run.findings[0])]
    again = compare_import(known, run, branch="main", coverage=find_coverage(run))
    assert (again.new, again.closed, again.moved, again.reopened) == ((), (), (), ())
    assert [one.known for one in again.seen] == known
    same = compare_import(
        known, empty(run), branch="main", coverage=find_coverage(run), digest="d", imported_digests=("d",)
    )
    assert same.is_repeated
    assert (same.new, same.closed, same.seen) == ((), (), ())


def test_an_import_closes_only_findings_of_its_tool_category_branch_and_files() -> None:
    run = read(codeql())
    own = know(run, run.findings[0])
    others = [
        replace(own, key="tool", tool="Semgrep OSS"),
        replace(own, key="category", category="nightly"),
        replace(own, key="branch", branch="release"),
        replace(own, key="path", place="src/elsewhere.js"),
        replace(own, key="nowhere", place=""),
        replace(own, key="closed", place="src/pages/index.js", is_open=False),
    ]
    changes = compare_import([own, *others], empty(run), branch="main", coverage=find_coverage(run))
    assert changes.closed == (own,)
    nothing = ImportCoverage(CoverageKind.NONE, "x")
    assert compare_import([own, *others], empty(run), branch="main", coverage=nothing).closed == ()


def test_part_of_the_code_leaves_the_findings_of_the_rest_open() -> None:
    run = read(codeql())
    known = [know(run, run.findings[0]), know(run, run.findings[0], key="2", place="src/pages/index.js")]
    part = replace(empty(run), listed=("src/pages/index.js",))
    changes = compare_import(known, part, branch="main", coverage=find_coverage(part))
    assert [one.key for one in changes.closed] == ["2"]


def test_a_finding_that_comes_back_is_reopened_and_one_in_a_renamed_file_moves() -> None:
    run = read(codeql())
    closed = know(run, run.findings[0], is_open=False)
    coverage = find_coverage(run)
    assert [one.known for one in compare_import([closed], run, branch="main", coverage=coverage).reopened] == [closed]
    before = know(run, run.findings[0], place="old/orders.js")
    renamed = compare_import([before], run, branch="main", coverage=coverage, removed_places=("old/orders.js",))
    assert [one.known for one in renamed.moved] == [before]
    assert (renamed.new, renamed.closed) == ((), ())
    copied = compare_import([before], run, branch="main", coverage=coverage)
    assert (len(copied.new), copied.closed) == (1, ())


def test_a_declared_address_closes_findings_of_a_running_service() -> None:
    run = read(zap())
    known = know(run, run.findings[0], place="https://staging.shop.example/other")
    canary = ImportCanary("10038", "https://staging.shop.example/orders")
    declared = CoverageDeclaration(("https://staging.shop.example/*",))
    ended = replace(run, end=RunEnd.WELL)
    coverage = find_coverage(ended, canary=canary, declaration=declared)
    changes = compare_import([known], ended, branch="main", coverage=coverage, canary=canary)
    assert (changes.closed, changes.new) == ((known,), ())
