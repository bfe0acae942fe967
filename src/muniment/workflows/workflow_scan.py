"""Scan of pipeline files of GitHub's kind by zizmor, with the findings and coverage of the other engines' form."""

from collections.abc import Iterable

from muniment.facts.maybe import Unknown
from muniment.facts.pipeline import PipelineFinding, PipelineSystem
from muniment.pipelines import hardening
from muniment.pipelines.pipeline_files import find_system
from muniment.scanners.findings import (
    Confidence,
    CoverageState,
    FileCoverage,
    Finding,
    Location,
    ScanResult,
    Severity,
    SourceFile,
)
from muniment.scanners.fingerprints import MOST_SNIPPET, compute_fingerprint
from muniment.scanners.rule_texts import FindingPlace, RuleText

WORKFLOW_ENGINE = hardening.HARDENING_ENGINE
_SYSTEMS = (PipelineSystem.GITHUB, PipelineSystem.GITEA, PipelineSystem.FORGEJO)
_SEVERITIES = {"high": Severity.HIGH, "medium": Severity.MEDIUM, "low": Severity.LOW, "informational": Severity.LOW}
_CONFIDENCES = {"high": Confidence.HIGH, "medium": Confidence.MEDIUM, "low": Confidence.LOW}


def scan_workflows(files: Iterable[SourceFile]) -> ScanResult:
    """Scan those of the files that are workflows. Each is `failed` where one cannot be read."""
    ours = {file.path: file.content for file in files if find_system(file.path) in _SYSTEMS}
    if not ours:
        return ScanResult(WORKFLOW_ENGINE, (), ())
    found = hardening.examine_files(ours).findings
    if isinstance(found, Unknown) and len(ours) > 1:  # one broken file says nothing of the others
        parts = [scan_workflows([SourceFile(path, content)]) for path, content in ours.items()]
        return ScanResult(
            WORKFLOW_ENGINE,
            tuple(finding for part in parts for finding in part.findings),
            tuple(line for part in parts for line in part.coverage),
        )
    if isinstance(found, Unknown):
        lines = tuple(FileCoverage(path, CoverageState.FAILED, found.reason) for path in ours)
        return ScanResult(WORKFLOW_ENGINE, (), lines)
    counts: dict[tuple[str, str, str], int] = {}
    findings = []
    for one in found.value:
        lines_of_file = ours[one.path].decode("utf-8", "replace").split("\n")
        snippet = lines_of_file[one.line - 1].strip() if one.line <= len(lines_of_file) else ""
        key = (one.path, one.rule, snippet)
        counts[key] = counts.get(key, -1) + 1
        findings.append(_build_finding(one, snippet, counts[key]))
    return ScanResult(
        WORKFLOW_ENGINE, tuple(findings), tuple(FileCoverage(path, CoverageState.SCANNED) for path in sorted(ours))
    )


def _build_finding(found: PipelineFinding, snippet: str, occurrence: int) -> Finding:
    rule = f"zizmor/{found.rule}"
    text = RuleText(
        requirement=f"Pipeline files are free of the weakness that zizmor calls {found.rule}.",
        cwe=0,
        # A word that this version does not know must not make a finding harmless.
        severity=_SEVERITIES.get(found.severity, Severity.HIGH),
        impact="Whoever can influence a pipeline may take over what it builds.",
        message="",
        remedy=f"The documentation of zizmor describes the weakness and its correction under {found.rule}.",
    )
    place = FindingPlace(
        location=Location(found.path, found.line, 1, found.line, len(snippet.encode()) + 1),
        confidence=_CONFIDENCES.get(found.confidence, Confidence.MEDIUM),
        symbol="",
        snippet=snippet[:MOST_SNIPPET],
        fingerprint=compute_fingerprint(rule, snippet, "", occurrence),
    )
    return text.make_finding(rule, text.message, place)
