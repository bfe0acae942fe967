"""Engine runs: a file that was not scanned is named, whatever the engine says or does."""

from collections.abc import Collection, Sequence

import pytest

from muniment.scanners.engine import CANARY_FOLDER, Canary, run_engine
from muniment.scanners.findings import CoverageState, FileCoverage, ScanResult, SourceFile
from muniment.scanners.python.engine import PythonEngine

FILES = (SourceFile("a.py", b"x = 1\n"), SourceFile("b.py", b"import hashlib\nhashlib.md5(b'')\n"))


class Lying(PythonEngine):
    """An engine that hands back what a test says."""

    def __init__(self, *, findings: bool = True, coverage: bool = True, canaries: bool = True) -> None:
        self._findings, self._coverage, self._canaries = findings, coverage, canaries

    def list_canaries(self) -> tuple[Canary, ...]:
        return super().list_canaries() if self._canaries else ()

    def scan_files(self, files: Sequence[SourceFile], targets: Collection[str]) -> ScanResult:
        result = super().scan_files(files, targets)
        return ScanResult(
            result.engine, result.findings if self._findings else (), result.coverage if self._coverage else ()
        )


def test_a_run_lists_each_file_and_hides_its_canaries() -> None:
    result = run_engine(PythonEngine(), FILES)
    assert [(line.path, line.state) for line in result.coverage] == [
        ("a.py", CoverageState.SCANNED),
        ("b.py", CoverageState.SCANNED),
    ]
    assert {finding.location.path for finding in result.findings} == {"b.py"}


def test_a_canary_is_planted_for_each_category_that_rules_cover() -> None:
    canaries = PythonEngine().list_canaries()
    assert len({canary.category for canary in canaries}) == len(canaries) >= 9


@pytest.mark.parametrize("engine", [Lying(findings=False), Lying(coverage=False), Lying(canaries=False)])
def test_an_engine_that_finds_nothing_says_nothing_or_proves_nothing_fails_every_file(engine: Lying) -> None:
    result = run_engine(engine, FILES)
    assert [line.state for line in result.coverage] == [CoverageState.FAILED] * 2
    assert all(line.because for line in result.coverage)


def test_a_file_in_the_folder_of_canaries_is_failed() -> None:
    path = f"{CANARY_FOLDER}/weak_hash.py"
    result = run_engine(PythonEngine(), [SourceFile(path, b"x = 1")])
    assert [(line.path, line.state) for line in result.coverage] == [(path, CoverageState.FAILED)]


@pytest.mark.parametrize(
    ("content", "because"),
    [
        (b"def f(:\n  pass\n", "syntax"),
        (b"print 'a'\n", "syntax"),
        (b"x = '\xff'\n", "syntax|decoded"),
        (b"x = 1\0", "not text"),
        (b"x = " + b"(" * 5000 + b")" * 5000, "syntax|nested"),
        (b"#" * 2_000_001, "larger"),
    ],
    ids=["syntax", "python-2", "encoding", "binary", "nesting", "size"],
)
def test_a_file_that_cannot_be_scanned_is_failed_and_says_why(content: bytes, because: str) -> None:
    (line,) = run_engine(PythonEngine(), [SourceFile("a.py", content)]).coverage
    assert line.state is CoverageState.FAILED
    assert any(word in line.because for word in because.split("|"))


def test_a_file_of_another_language_is_skipped() -> None:
    (line,) = run_engine(PythonEngine(), [SourceFile("a.js", b"x")]).coverage
    assert line == FileCoverage("a.js", CoverageState.SKIPPED, "it is no Python file")


def test_a_file_that_is_only_read_for_its_helpers_is_not_reported() -> None:
    result = run_engine(PythonEngine(), FILES, {"a.py"})
    assert [line.path for line in result.coverage] == ["a.py"]
    assert result.findings == ()


def test_a_dict_made_of_what_a_comprehension_made_is_analysed() -> None:
    code = b"""import os
def compare(one, other):
    old, new = ({part.id: part for part in policy.parts} for policy in (one, other))
    for name in {**old, **new}:
        os.system("echo " + name)
"""
    (line,) = run_engine(PythonEngine(), (SourceFile("a.py", code),)).coverage
    assert line.state is CoverageState.SCANNED
