"""Interface of scanner engines, and the checks that every run must pass before its result counts.

An engine takes files and returns findings and one line of coverage for each file. The run adds a canary for each
category: a file with a known weakness. Where its finding does not come back, every file is `failed`: an exit code, or
an empty list, is no evidence.
"""

from collections.abc import Collection, Sequence
from typing import Protocol

import msgspec

from muniment.scanners.findings import CoverageState, FileCoverage, ScanResult, SourceFile
from muniment.scanners.rules import load_scan_rules

CANARY_FOLDER = "muniment-canaries"


class Canary(msgspec.Struct, frozen=True):
    """File with a known weakness, and the rule that must find it."""

    category: str
    rule: str
    file: SourceFile


class Engine(Protocol):
    """Scanner engine. `scan_files` reports on `targets` and may read the other files to follow imports."""

    name: str

    def list_canaries(self) -> tuple[Canary, ...]:
        """List one canary for each category that the engine covers."""
        ...

    def scan_files(self, files: Sequence[SourceFile], targets: Collection[str]) -> ScanResult:
        """Scan files. The coverage has exactly one line for each target."""
        ...


def build_rule_canaries(suffix: str) -> tuple[Canary, ...]:
    """Build one canary for each OWASP category of 2021 from the examples of our rules."""
    canaries: dict[str, Canary] = {}
    for rule in load_scan_rules().values():
        category = rule.find_category(2021)
        if category and category not in canaries and rule.bad:
            path = f"{CANARY_FOLDER}/{rule.id.replace('-', '_')}{suffix}"
            canaries[category] = Canary(category, rule.id, SourceFile(path, rule.bad[0].code.encode()))
    return tuple(canaries[category] for category in sorted(canaries))


def run_engine(engine: Engine, files: Sequence[SourceFile], targets: Collection[str] | None = None) -> ScanResult:
    """Run an engine with its canaries, and check what it hands back. Paths of `targets` are among the files."""
    chosen = {file.path for file in files} if targets is None else set(targets)
    own = [file for file in files if not file.path.startswith(f"{CANARY_FOLDER}/")]
    hidden = chosen - {file.path for file in own}
    canaries = engine.list_canaries()
    planted = [canary.file for canary in canaries]
    result = engine.scan_files([*own, *planted], (chosen - hidden) | {file.path for file in planted})
    missing = [
        canary.category
        for canary in canaries
        if not any(f.rule == canary.rule and f.location.path == canary.file.path for f in result.findings)
    ]
    paths = {file.path for file in planted}
    findings = tuple(finding for finding in result.findings if finding.location.path not in paths)
    answered = {line.path: line for line in result.coverage}
    coverage = []
    for path in sorted(chosen):
        line = answered.get(path)
        if path in hidden:
            because = f"the folder {CANARY_FOLDER} is reserved for canaries"
            line = FileCoverage(path, CoverageState.FAILED, because)
        elif missing and (line is None or line.state is not CoverageState.SKIPPED):
            because = f"the engine did not find the known weakness of {', '.join(missing)}"
            line = FileCoverage(path, CoverageState.FAILED, because)
        elif not canaries:
            line = FileCoverage(path, CoverageState.FAILED, "the engine has no canary")
        elif line is None:
            line = FileCoverage(path, CoverageState.FAILED, "the engine does not mention the file")
        coverage.append(line)
    comments = tuple(comment for comment in result.comments if comment.path not in paths)
    return ScanResult(result.engine, findings, tuple(coverage), comments)
