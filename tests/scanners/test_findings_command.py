"""muniment findings import: what it prints that a file counts for, and its exit code."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from muniment.cli.findings import command
from muniment.errors import UsageError
from tests.scanners.sarif_files import codeql, semgrep, trivy, write


def run(*arguments: str) -> tuple[int, str]:
    outcome = CliRunner().invoke(command, ["import", *arguments], standalone_mode=False)
    if outcome.exception is not None:
        raise outcome.exception
    return outcome.return_value, outcome.output


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tools.sarif"
    path.write_bytes(write(codeql(), semgrep(), trivy()))
    return path


def test_each_run_is_printed_with_what_it_counts_for(file: Path) -> None:
    code, out = run(str(file))
    assert code == 1
    assert "CodeQL 2.19.3 counts for 2 files that it lists." in out
    assert "Semgrep OSS 1.140.0 counts for no file: it lists no file, and no canary is declared." in out
    assert "Trivy 0.68.1 counts for no file: it lists no file, and the tool does not say that it ended well." in out
    assert "HIGH  js/sql-injection  src/orders.js:14  CWE-89, CWE-943" in out
    assert "severity not given, treated as high" in out
    assert "suppressed in the tool, counts all the same" in out


def test_a_declared_run_without_other_findings_is_exit_0(tmp_path: Path) -> None:
    whole = semgrep()
    whole["results"] = whole["results"][:1]  # type: ignore[index]
    path = tmp_path / "a.sarif"
    path.write_bytes(write(whole))
    canary = ("--canary", "python.lang.command-line@shop/views.py")
    code, out = run(str(path), *canary, "--covers", "shop/*", "--language", "Python", "--format", "json")
    (found,) = json.loads(out)["runs"]
    assert code == 0
    assert found["coverage"] == {"kind": "declared", "because": "coverage declared", "files": 0}
    assert found["findings"] == []


def test_a_list_of_the_tool_beside_the_file_counts(tmp_path: Path, file: Path) -> None:
    listed = tmp_path / "files.txt"
    listed.write_text("./shop/views.py\n\nshop/urls.py\n")
    assert "Semgrep OSS 1.140.0 counts for 2 files that it lists." in run(str(file), "--files", str(listed))[1]


@pytest.mark.parametrize("canary", ["x", "@a", "x@"])
def test_wrong_arguments_and_files_are_errors(file: Path, canary: str) -> None:
    with pytest.raises(UsageError, match="canary"):
        run(str(file), "--canary", canary)
    with pytest.raises(UsageError, match="cannot be read"):
        run(str(file) + "x")
