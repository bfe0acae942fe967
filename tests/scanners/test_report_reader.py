"""Reports of other tools are read in a confined child, and one that gives no answer has read nothing."""

import json

import pytest

from muniment.errors import ProgramError, UsageError
from muniment.programs.confinement import NO_CHILD
from muniment.programs.process import ProcessResult
from muniment.scanners.imports import isolation
from muniment.scanners.imports.isolation import read_report_runs
from muniment.scanners.imports.sarif_import import parse_import
from tests.scanners import sarif_files

KEY = b"k" * 32


def test_the_child_reads_the_report_of_each_tool_as_this_process_would() -> None:
    runs = [sarif_files.codeql(), sarif_files.semgrep(), sarif_files.trivy(), sarif_files.zap()]
    content = json.dumps({"version": "2.1.0", "runs": runs}).encode()
    assert read_report_runs(content, KEY) == parse_import(content, KEY).runs


def test_a_file_that_is_no_report_has_its_reason() -> None:
    with pytest.raises(UsageError) as refused:
        read_report_runs(b"[", KEY)
    assert refused.value.message
    assert refused.value.remedy


@pytest.mark.parametrize(("code", "out"), [(-9, b""), (0, b"nonsense"), (0, b""), (NO_CHILD, b"")])
def test_a_child_without_an_answer_reads_nothing(monkeypatch: pytest.MonkeyPatch, code: int, out: bytes) -> None:
    monkeypatch.setattr(isolation, "run_program", lambda *a, **k: ProcessResult(code, out, b""))
    with pytest.raises(ProgramError):
        read_report_runs(b"{}", KEY)
