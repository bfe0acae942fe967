"""Scans in children that are confined: each is given files, and gives findings and coverage. One that crashes, hangs or
answers nonsense scans nothing, and is named; its files are tried apart, until the one that ends it is found.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import msgspec
from msgspec import structs

from muniment.errors import ProgramError
from muniment.facts.code_facts import IgnoreComment
from muniment.programs.catalogue import Program
from muniment.programs.command import build_command, confine_command
from muniment.programs.confinement import NO_CHILD
from muniment.programs.environment import minimal_environment
from muniment.programs.process import ProcessLimits, run_program
from muniment.scanners.child import ScanRequest
from muniment.scanners.findings import CoverageState, FileCoverage, Finding, ScanResult, SourceFile
from muniment.scanners.python.analysis import PYTHON_ENGINE

SCAN_SECONDS = 60  # of one child
MOST_TARGETS = 400  # files of one child: its analysis keeps what it has read
_MOST_FAILURES = 24  # children that may fail before what is left is given up
_LARGEST_ANSWER = 64 << 20


class _Failure(Exception):
    """A child gave no answer; the text says why."""


class _Attempts:
    """Number of children that failed, shared by all parts of one scan."""

    def __init__(self) -> None:
        self.failed = 0


def scan_isolated(request: ScanRequest, workers: int | None = None) -> tuple[ScanResult, ...]:
    """Scan a request in confined children. It never raises; files without an answer are `failed`."""
    parts = [
        _take_part(request, request.targets[start : start + MOST_TARGETS], () if start else request.removed)
        for start in range(0, max(len(request.targets), 1), MOST_TARGETS)
    ]
    attempts = _Attempts()
    # Threads are enough: each only waits for its child process.
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        answers = list(pool.map(lambda part: list(_scan_part(part, attempts)), parts))
    return _join_results(request.engines, (result for answer in answers for result in answer))


def _take_part(request: ScanRequest, targets: tuple[str, ...], removed: tuple[SourceFile, ...]) -> ScanRequest:
    """Part of a request, with the files that it needs: its targets, and for Python all that imports may lead to."""
    named = (*targets, *(file.path for file in request.before))
    python = PYTHON_ENGINE in request.engines and any(path.endswith(".py") for path in named)
    chosen = set(targets)
    files = tuple(file for file in request.files if file.path in chosen or (python and file.path.endswith(".py")))
    return structs.replace(request, files=files, targets=targets, removed=removed)


def _scan_part(request: ScanRequest, attempts: _Attempts) -> Iterator[ScanResult]:
    try:
        yield from _run_child(request)
        return
    except _Failure as error:
        because = str(error)
        attempts.failed += 1
    # With a limit: a change of many files that each end the scanner would otherwise keep the service busy.
    if len(request.targets) <= 1 or attempts.failed > _MOST_FAILURES:
        yield from _fail_targets(request, because)
        return
    middle = len(request.targets) // 2
    for targets, removed in ((request.targets[:middle], request.removed), (request.targets[middle:], ())):
        yield from _scan_part(_take_part(request, targets, removed), attempts)


def _fail_targets(request: ScanRequest, because: str) -> Iterator[ScanResult]:
    paths = dict.fromkeys((*request.targets, *(file.path for file in request.removed)))
    for engine in request.engines:
        yield ScanResult(engine, (), tuple(FileCoverage(path, CoverageState.FAILED, because) for path in paths))


def _run_child(request: ScanRequest) -> tuple[ScanResult, ...]:
    command = confine_command(build_command(Program.SCANNER, (), ProgramError))
    try:
        done = run_program(
            command,
            minimal_environment(),
            ProgramError,
            input=msgspec.msgpack.encode(request),
            limits=ProcessLimits(SCAN_SECONDS, output=_LARGEST_ANSWER),
        )
    except ProgramError as error:
        raise _Failure(f"the scanner gave no answer ({error.message})") from None
    if done.code == NO_CHILD:
        raise _Failure("this machine has no way to run the scanner without network and files")
    if done.code:
        raise _Failure(f"the scanner ended with {done.code} on this file")
    try:
        results = msgspec.msgpack.decode(done.out, type=tuple[ScanResult, ...])
    except msgspec.MsgspecError:
        raise _Failure("the scanner's answer cannot be understood") from None
    # A child that leaves a file out would make it look scanned: then nothing of its answer counts.
    listed = {line.path for result in results for line in result.coverage}
    if tuple(result.engine for result in results) != request.engines or listed != set(request.targets):
        raise _Failure("the scanner's answer does not name every file")
    return results


def _join_results(engines: tuple[str, ...], results: Iterator[ScanResult]) -> tuple[ScanResult, ...]:
    # Two parts may reach the same place of a third file: it is one finding.
    findings: dict[str, dict[tuple[str, str], Finding]] = {engine: {} for engine in engines}
    coverage: dict[str, list[FileCoverage]] = {engine: [] for engine in engines}
    comments: dict[str, list[IgnoreComment]] = {engine: [] for engine in engines}
    for result in results:
        findings[result.engine].update({(one.fingerprint, one.location.path): one for one in result.findings})
        coverage[result.engine] += result.coverage
        comments[result.engine] += result.comments
    return tuple(
        ScanResult(
            engine,
            tuple(sorted(findings[engine].values(), key=lambda one: (one.location, one.rule))),
            tuple(sorted(coverage[engine], key=lambda one: one.path)),
            tuple(sorted(comments[engine], key=lambda one: (one.path, one.line))),
        )
        for engine in engines
    )
