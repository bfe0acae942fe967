"""Engine for comments that ask to ignore a rule: it silences nothing, and lists them for the control that decides."""

from collections.abc import Collection, Sequence
from functools import cache

from muniment.facts.code_facts import IgnoreComment
from muniment.scanners.comments.comment_rules import FORM_RULE, load_comment_rules
from muniment.scanners.comments.parsing import OtherForm, find_comments
from muniment.scanners.engine import CANARY_FOLDER, Canary
from muniment.scanners.findings import (
    Confidence,
    CoverageState,
    FileCoverage,
    Finding,
    Location,
    ScanResult,
    SourceFile,
)
from muniment.scanners.fingerprints import compute_fingerprint, normalise_snippet
from muniment.scanners.javascript.script_rules import load_script_rules
from muniment.scanners.languages import is_code
from muniment.scanners.own_rules import load_own_rules
from muniment.scanners.rules import load_scan_rules
from muniment.scanners.secrets.engine import load_secret_rules

COMMENT_ENGINE = "muniment-comments"
_MOST_SNIPPET = 200


@cache
def list_hard_rules() -> frozenset[str]:
    """List the rules that no comment ignores: secrets, checks that fail open, and the form of comments itself."""
    return frozenset(
        (
            *(*load_secret_rules(), FORM_RULE),
            *(name for name, rule in load_scan_rules().items() if rule.is_hard),
            *(name for name, rule in load_script_rules().items() if rule.is_hard),
        )
    )


class CommentEngine:
    """Engine that lists comments of the exact form, and reports every other form."""

    name = COMMENT_ENGINE

    def list_canaries(self) -> tuple[Canary, ...]:
        """List a canary: a comment without a reason."""
        text = "# muniment: " + "ignore weak-hash\n"
        return (Canary("ignore comments", FORM_RULE, SourceFile(f"{CANARY_FOLDER}/comment.py", text.encode())),)

    def scan_files(self, files: Sequence[SourceFile], targets: Collection[str]) -> ScanResult:
        """Scan the files among the targets; each gets one line of coverage."""
        findings: list[Finding] = []
        comments: list[IgnoreComment] = []
        coverage = []
        for file in files:
            if file.path not in targets:
                continue
            if not is_code(file.path):
                coverage.append(FileCoverage(file.path, CoverageState.SKIPPED, "it is no code"))
                continue
            found = find_comments(file, load_own_rules(), list_hard_rules())
            counts: dict[str, int] = {}
            for other in found.others:
                counts[other.text] = counts.get(other.text, -1) + 1
                findings.append(_build_finding(file.path, other, counts[other.text]))
            comments += found.exact
            coverage.append(FileCoverage(file.path, CoverageState.SCANNED))
        return ScanResult(self.name, tuple(findings), tuple(coverage), tuple(comments))


def _build_finding(path: str, other: OtherForm, occurrence: int) -> Finding:
    rule = load_comment_rules()[FORM_RULE]
    snippet = normalise_snippet(other.text)[:_MOST_SNIPPET]
    return Finding(
        rule=FORM_RULE,
        requirement=rule.requirement,
        cwe=rule.cwe,
        owasp_2021="",
        owasp_2025="",
        severity=rule.severity,
        impact=rule.impact,
        message=f"Requirement not met: {rule.requirement} This one has no effect: {other.because}.",
        remedy=rule.remedy,
        location=Location(path, other.line, 1, other.line, 1),
        steps=(),
        confidence=Confidence.HIGH,
        symbol="",
        snippet=snippet,
        fingerprint=compute_fingerprint(FORM_RULE, snippet, "", occurrence),
    )
