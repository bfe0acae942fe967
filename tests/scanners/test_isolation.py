"""Confined scanner child: what it may not do, and what becomes of files when it gives no answer."""

import gzip
import io
import lzma
import platform
import subprocess
import sys
import zipfile

import pytest

from muniment.errors import ProgramError
from muniment.programs import confinement
from muniment.programs.process import ProcessResult
from muniment.scanners import isolation
from muniment.scanners.child import ENGINES, ScanRequest, scan_request
from muniment.scanners.findings import CoverageState, ScanResult, SourceFile
from muniment.scanners.isolation import scan_isolated

BAD = b"import hashlib\ndigest = hashlib.md5(b'')\n"


def make_request(*files: SourceFile) -> ScanRequest:
    return ScanRequest(files, tuple(file.path for file in files), key=b"k")


def list_states(results: tuple[ScanResult, ...], engine: str) -> dict[str, CoverageState]:
    return {line.path: line.state for result in results if result.engine == engine for line in result.coverage}


def test_files_are_scanned_in_the_child_by_every_engine() -> None:
    token = b"gh" + b"p_" + b"q7Rk2Zt9Xw4Lm8Bv3Nc6Hd1Jf5Gs0PyTaUeK"
    docker = SourceFile("Dockerfile", b"FROM a\nCMD b\n")
    latin = SourceFile("latin.py", "# coding: latin-1\nx = '\xe9'\n".encode("latin-1"))
    results = scan_isolated(make_request(SourceFile("a.py", BAD), SourceFile("b.txt", token), docker, latin))
    assert [result.engine for result in results] == list(ENGINES)
    found = {finding.rule for result in results for finding in result.findings}
    assert found == {"weak-hash", "token-in-code", "container-root-user"}
    assert list_states(results, "muniment-python")["latin.py"] is CoverageState.SCANNED


@pytest.mark.parametrize(
    "attempt",
    [
        "open('/etc/passwd')",
        "open('/tmp/written', 'w')",
        "os.listdir('/')",
        "subprocess.run(['/bin/true'])",
        "os.kill(os.getppid(), 0)",
        "os.rename('/tmp/a', '/tmp/b')",
        "os.unlink('/tmp/a')",
        "os.mkdir('/tmp/made')",
        "os.symlink('/a', '/tmp/link')",
        "socket.socket()",
    ],
)
def test_a_process_that_refused_files_reaches_nothing(attempt: str) -> None:
    script = (
        "import os, socket, subprocess\nfrom muniment.programs.confinement import confine_process, refuse_files\n"
        "confine_process()\nrefuse_files()\n"
        f"try:\n    {attempt}\nexcept PermissionError:\n    os._exit(7)\nos._exit(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, timeout=60)
    assert done.returncode == 7, done.stderr


def test_archives_notebooks_and_scripts_are_read_in_the_child() -> None:
    token = "gh" + "p_" + "q7Rk2Zt9Xw4Lm8Bv3Nc6Hd1Jf5Gs0PyTaUeK"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", token)
    files = [
        SourceFile("a.zip", packed.getvalue()),
        SourceFile("a.gz", gzip.compress(packed.getvalue())),
        SourceFile("a.xz", lzma.compress(token.encode())),
        SourceFile("a.ipynb", b'{"cells": [{"source": ["' + token.encode() + b'"]}]}'),
        SourceFile("a.tsx", b"const a = <p>{eval(text)}</p>;\n// muni" + b"ment: ignore\n"),
    ]
    results = {result.engine: result for result in scan_isolated(make_request(*files))}
    assert set(list_states(tuple(results.values()), "muniment-secrets").values()) == {CoverageState.SCANNED}
    found = {(one.location.path, one.rule) for result in results.values() for one in result.findings}
    assert found == {
        *((name, "token-in-code") for name in ("a.zip", "a.gz", "a.xz", "a.ipynb")),
        *(("a.tsx", rule) for rule in ("js-code-injection", "ignore-comment-form")),
    }


def test_filters_exist_for_each_known_machine() -> None:
    for machine in ("x86_64", "aarch64"):
        assert len(confinement.make_filter(machine, files=True)) > len(confinement.make_filter(machine))


@pytest.mark.parametrize(
    ("result", "because"),
    [
        (ProcessResult(0, b"", b""), "cannot be understood"),
        (ProcessResult(0, b"\x90", b""), "does not name every file"),
        (ProcessResult(-9, b"", b""), "ended with -9"),
        (ProcessResult(confinement.NO_CHILD, b"", b""), "no way to run the scanner"),
    ],
)
def test_a_child_that_gives_no_answer_scans_nothing(
    monkeypatch: pytest.MonkeyPatch, result: ProcessResult, because: str
) -> None:
    monkeypatch.setattr(isolation, "run_program", lambda *a, **k: result)
    results = scan_isolated(make_request(SourceFile("a.py", BAD), SourceFile("b.py", BAD)))
    for engine in ENGINES:
        assert set(list_states(results, engine).values()) == {CoverageState.FAILED}
    assert all(because in line.because for found in results for line in found.coverage)


def test_a_hanging_child_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*given: object, **more: object) -> ProcessResult:
        raise ProgramError("it did not end in 60 s", "")

    monkeypatch.setattr(isolation, "run_program", hang)
    line = scan_isolated(make_request(SourceFile("a.py", BAD)))[0].coverage[0]
    assert line.because == "the scanner gave no answer (it did not end in 60 s)"


def test_the_file_that_ends_the_scanner_is_found_and_named_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_or_crash(request: ScanRequest) -> tuple[ScanResult, ...]:
        if "crash.py" in request.targets:
            raise isolation._Failure("the scanner ended with -11 on this file")
        return scan_request(request)

    monkeypatch.setattr(isolation, "_run_child", run_or_crash)
    files = [SourceFile(f"f{number}.py", BAD) for number in range(5)]
    results = scan_isolated(make_request(*files, SourceFile("crash.py", BAD)), workers=1)
    states = list_states(results, "muniment-python")
    assert states.pop("crash.py") is CoverageState.FAILED
    assert set(states.values()) == {CoverageState.SCANNED}
    assert len(results[0].findings) == 5


def test_a_file_nested_too_deeply_ends_no_other() -> None:
    chain = SourceFile("chain.py", b"x = a" + b".b()" * 20_000 + b"\n")
    deep = SourceFile("deep.py", b"x = " + b"-" * 100_000 + b"1\n")
    states = list_states(scan_isolated(make_request(chain, deep, SourceFile("a.py", BAD))), "muniment-python")
    assert states == {"chain.py": "failed", "deep.py": "failed", "a.py": "scanned"}


def test_findings_before_the_change_and_moved_code_are_not_new() -> None:
    files = (SourceFile("moved/b.py", BAD), SourceFile("a.py", b"# above\n\n" + BAD), SourceFile("c.py", b"x = 1\n"))
    before = (SourceFile("b.py", BAD), SourceFile("a.py", BAD))
    request = ScanRequest(files, ("moved/b.py", "a.py"), before, added=("moved/b.py",), key=b"k")
    assert scan_request(request)[0].findings == ()


def test_a_secret_of_an_earlier_commit_is_found() -> None:
    token = b"gh" + b"p_" + b"q7Rk2Zt9Xw4Lm8Bv3Nc6Hd1Jf5Gs0PyTaUeK"
    request = ScanRequest((), (), removed=(SourceFile("a.py", token),), key=b"k")
    found = scan_request(request)[1].findings
    assert [finding.location.path for finding in found] == ["a.py"]
    assert "An earlier commit of the change has it." in found[0].message


def test_platform_without_a_filter_scans_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "pdp11")
    with pytest.raises(KeyError):
        confinement.refuse_files()
