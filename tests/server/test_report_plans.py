"""Reports of four tools in their own shapes, imported twice and in part: nothing doubles, and little is closed."""

import pytest
from msgspec.structs import replace

from muniment.scanners.imports.import_coverage import CoverageDeclaration, ImportCanary
from muniment.scanners.imports.sarif_import import ImportedRun, parse_import
from muniment.server.findings.report_plan import RunPlan, StoredImport, plan_run
from tests.scanners.sarif_files import codeql, semgrep, trivy, write, zap

FILES = frozenset({"src/orders.js", "src/pages/index.js", "shop/views.py", "web/package-lock.json"})
NO_CANARY = ImportCanary("no-rule", "no/path")
TOOLS = {"codeql": codeql, "semgrep": semgrep, "trivy": trivy, "zap": zap}


def read(tool: str) -> ImportedRun:
    return parse_import(write(TOOLS[tool]()), b"k").runs[0]


def store(plan: RunPlan, **more: object) -> list[StoredImport]:
    rows = [
        StoredImport(
            number=number,
            tool=plan.tool,
            category=plan.category,
            fingerprint=one.finding.fingerprint,
            copy=one.number,
            place=one.finding.place,
            line=one.finding.line,
            severity=one.finding.severity.value,
            is_gone=False,
        )
        for number, one in enumerate(plan.new)
    ]
    return [replace(row, **more) for row in rows]


def plan_first(tool: str) -> RunPlan:
    found = plan_run(read(tool), (), None, FILES, "first", None)
    assert found is not None
    return found


@pytest.mark.parametrize("tool", TOOLS)
def test_the_same_report_again_changes_nothing(tool: str) -> None:
    first = plan_first(tool)
    assert (len(first.new), first.is_first) == (len(read(tool).findings), True)
    stored = store(first)
    assert plan_run(read(tool), stored, None, FILES, "first", "first") is None
    again = plan_run(read(tool), stored, None, FILES, "written-anew", "first")
    assert again is not None
    assert (again.new, again.closed, again.reopened, again.moved, again.raised) == ((), (), (), (), ())


@pytest.mark.parametrize("tool", TOOLS)
def test_an_empty_report_closes_only_what_it_says_it_scanned(tool: str) -> None:
    stored = store(plan_first(tool))
    empty = plan_run(replace(read(tool), findings=()), stored, None, FILES, "second", "first")
    assert empty is not None
    assert bool(empty.closed) is (tool == "codeql")  # the others list no file, and nothing is declared
    for other in (store(plan_first(tool), tool="Another"), store(plan_first(tool), category="nightly")):
        left = plan_run(replace(read(tool), findings=()), other, None, FILES, "second", "first")
        assert left is not None
        assert left.closed == ()


def test_a_report_of_a_part_leaves_the_rest_open() -> None:
    stored = store(plan_first("codeql"))
    part = replace(read("codeql"), findings=(), listed=("src/pages/index.js",))
    found = plan_run(part, stored, None, FILES, "second", "first")
    assert found is not None
    assert found.closed == ()


@pytest.mark.parametrize(("tool", "path"), [("semgrep", "shop/*"), ("trivy", "web/*"), ("zap", "https://staging.*")])
def test_a_declaration_without_its_canary_closes_nothing(tool: str, path: str) -> None:
    stored = store(plan_first(tool))
    declared = (CoverageDeclaration((path,)), NO_CANARY)
    found = plan_run(replace(read(tool), findings=()), stored, declared, FILES, "second", "first")
    assert found is not None
    assert found.closed == ()
