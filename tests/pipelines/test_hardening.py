"""The engine beside us: what it finds is told, what it cannot read is not known, and it reaches nothing."""

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
    weaknesses = hardening.examine(files).findings
    assert isinstance(weaknesses, Known), weaknesses
    return [(one.rule, one.path, one.line) for one in weaknesses.value]


def test_what_it_finds_is_told_where_it_stands() -> None:
    told = found({".gitea/workflows/a.yml": WORKFLOW})
    assert ("template-injection", ".gitea/workflows/a.yml", 7) in told
    assert ("unpinned-uses", ".gitea/workflows/a.yml", 6) in told


def test_a_repository_cannot_excuse_itself() -> None:
    excused = b"rules: {template-injection: {disable: true}}\n"
    told = found({".github/workflows/a.yml": WORKFLOW, ".github/zizmor.yml": b"on: push\njobs: {}\n" + b"#" + excused})
    assert "template-injection" in {rule for rule, _, _ in told}


def test_nothing_found_is_an_answer_and_so_is_no_file() -> None:
    assert found({".github/workflows/a.yml": CLEAN}) == []
    assert hardening.examine({}) == Hardening("zizmor", (), Known(()))


@pytest.mark.parametrize("broken", [b"on: push\njobs: [\n", b"hello: world\n", b"\xff\xfe", b""])
def test_one_file_that_it_cannot_read_makes_all_unknown(broken: bytes) -> None:
    answer = hardening.examine({".github/workflows/a.yml": WORKFLOW, ".github/workflows/b.yml": broken})
    assert isinstance(answer.findings, Unknown)


def test_an_engine_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardening, "SECONDS", 0)
    assert hardening.examine({"a.yml": CLEAN}).findings == Unknown("zizmor took longer than 0 seconds")


def test_no_engine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hardening.ready() == ""
    monkeypatch.setattr(hardening, "ENGINE", "no-such-engine")
    assert hardening.ready() == "no-such-engine is not installed"
    assert hardening.examine({"a.yml": CLEAN}).findings == Unknown("no-such-engine is not installed")


@pytest.mark.parametrize("answer", [b"", b"{}", b"[{}]", b'[{"ident": "x", "determinations": {}, "locations": []}]'])
def test_an_answer_of_another_form_is_not_understood(answer: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardening, "_run", lambda folder: Known(answer))
    assert isinstance(hardening.examine({"a.yml": CLEAN}).findings, Unknown)


def run_confined(*command: str) -> subprocess.CompletedProcess[bytes]:
    python = [sys.executable, "-I", "-m", "muniment.programs.confinement", *command]
    return subprocess.run(python, capture_output=True, check=False, timeout=60)


def test_a_confined_program_has_no_network(tmp_path: Path) -> None:
    script = "import socket\ntry:\n    socket.socket()\nexcept PermissionError:\n    raise SystemExit(7)\n"
    assert run_confined(sys.executable, "-I", "-c", script).returncode == 7


def test_a_confined_program_has_bounded_memory() -> None:
    script = "try:\n    bytearray(3 << 30)\nexcept MemoryError:\n    raise SystemExit(7)\n"
    assert run_confined(sys.executable, "-I", "-c", script).returncode == 7


def test_without_bounds_nothing_runs(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "pdp11")
    monkeypatch.setattr(resource, "setrlimit", lambda what, most: None)
    assert confinement.main(["/bin/echo", "here"]) == confinement.NO_CHILD
    assert capfd.readouterr().out == ""


def test_a_program_that_is_not_there_is_told() -> None:
    assert run_confined("/no/such/program").returncode == confinement.NO_CHILD
