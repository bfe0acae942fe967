"""Confined workflow scanner: findings are reported, unreadable files are Unknown, and it has no network."""

import platform
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from muniment.facts.maybe import Known, Unknown
from muniment.facts.pipeline import Hardening
from muniment.pipelines import hardening
from muniment.programs import confinement

WORKFLOW = b"""on: [pull_request_target]
jobs:
  a:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: echo "${{ github.event.pull_request.title }}" # zizmor: ignore[template-injection]
"""
CLEAN = b"""name: ci
on: [push]
permissions: {}
concurrency: {group: a, cancel-in-progress: true}
jobs:
  a:
    name: a
    runs-on: ubuntu-latest
    steps:
      - run: make
"""


def found(files: dict[str, bytes]) -> list[tuple[str, str, int]]:
    weaknesses = hardening.examine_files(files).findings
    assert isinstance(weaknesses, Known), weaknesses
    return [(one.rule, one.path, one.line) for one in weaknesses.value]


def test_findings_have_file_and_line() -> None:
    result = found({".gitea/workflows/a.yml": WORKFLOW})
    assert ("template-injection", ".gitea/workflows/a.yml", 7) in result
    assert ("unpinned-uses", ".gitea/workflows/a.yml", 6) in result


def test_repository_configuration_cannot_suppress_findings() -> None:
    excused = b"rules: {template-injection: {disable: true}}\n"
    result = found(
        {".github/workflows/a.yml": WORKFLOW, ".github/zizmor.yml": b"on: push\njobs: {}\n" + b"#" + excused}
    )
    assert "template-injection" in {rule for rule, _, _ in result}


def test_no_findings_and_no_files_are_known_results() -> None:
    assert found({".github/workflows/a.yml": CLEAN}) == []
    assert hardening.examine_files({}) == Hardening("zizmor", (), Known(()))


@pytest.mark.parametrize("broken", [b"on: push\njobs: [\n", b"hello: world\n", b"\xff\xfe", b""])
def test_one_unreadable_file_makes_hardening_unknown(broken: bytes) -> None:
    answer = hardening.examine_files({".github/workflows/a.yml": WORKFLOW, ".github/workflows/b.yml": broken})
    assert isinstance(answer.findings, Unknown)


def test_hanging_scanner_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardening, "SECONDS", 0)
    assert hardening.examine_files({"a.yml": CLEAN}).findings == Unknown("zizmor took longer than 0 seconds")


def test_missing_scanner_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hardening.find_engine_problem() == ""
    monkeypatch.setattr(hardening, "HARDENING_ENGINE", "no-such-engine")
    assert hardening.find_engine_problem() == "no-such-engine is not installed"
    assert hardening.examine_files({"a.yml": CLEAN}).findings == Unknown("no-such-engine is not installed")


@pytest.mark.parametrize("answer", [b"", b"{}", b"[{}]", b'[{"ident": "x", "determinations": {}, "locations": []}]'])
def test_malformed_scanner_output_is_unknown(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardening, "_run_engine", lambda folder: Known(answer))
    assert isinstance(hardening.examine_files({"a.yml": CLEAN}).findings, Unknown)


def run_confined(*command: str) -> subprocess.CompletedProcess[bytes]:
    python = [sys.executable, "-I", "-m", "muniment.programs.confinement", *command]
    return subprocess.run(python, capture_output=True, check=False, timeout=60)


def test_a_confined_program_has_no_network(tmp_path: Path) -> None:
    script = "import socket\ntry:\n    socket.socket()\nexcept PermissionError:\n    raise SystemExit(7)\n"
    assert run_confined(sys.executable, "-I", "-c", script).returncode == 7


def test_a_confined_program_has_bounded_memory() -> None:
    script = "try:\n    bytearray(3 << 30)\nexcept MemoryError:\n    raise SystemExit(7)\n"
    assert run_confined(sys.executable, "-I", "-c", script).returncode == 7


def test_refuses_to_run_without_confinement(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "pdp11")
    monkeypatch.setattr(resource, "setrlimit", lambda what, most: None)
    assert confinement.main(["/bin/echo", "here"]) == confinement.NO_CHILD
    assert capfd.readouterr().out == ""


def test_missing_program_is_reported() -> None:
    assert run_confined("/no/such/program").returncode == confinement.NO_CHILD
