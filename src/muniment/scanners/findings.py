"""Findings and coverage: what an engine hands back for the files that it was given."""

from enum import StrEnum

import msgspec

from muniment.facts.code_facts import IgnoreComment


class Severity(StrEnum):
    """Severity of a finding, which decides its due date."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Confidence(StrEnum):
    """Confidence in a finding: high if an attack string was followed from a request to the sink."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class CoverageState(StrEnum):
    """State of one file after an engine's run."""

    SCANNED = "scanned"
    PARTIAL = "partial"  # scanned, but some functions were over budget: the reason names them
    SKIPPED = "skipped"  # the engine has no rule for it
    FAILED = "failed"  # it should have been scanned and was not: unknown


class SourceFile(msgspec.Struct, frozen=True):
    """File to scan: path inside the repository with `/`, and its bytes."""

    path: str
    content: bytes


class Location(msgspec.Struct, frozen=True, order=True):
    """Place in a file; lines and columns count from 1."""

    path: str
    line: int
    column: int
    end_line: int
    end_column: int


class Step(msgspec.Struct, frozen=True):
    """Step of a data-flow path."""

    location: Location
    text: str


class Finding(msgspec.Struct, frozen=True):
    """A requirement that a place in the code does not meet."""

    rule: str
    requirement: str
    cwe: int
    owasp_2021: str  # "A03:2021", "" if the category has no such weakness
    owasp_2025: str
    severity: Severity
    impact: str
    message: str
    remedy: str
    location: Location
    steps: tuple[Step, ...]  # from the source to the sink; empty for a rule without data flow
    confidence: Confidence
    symbol: str  # enclosing function or class, "" at the top of a module
    snippet: str
    fingerprint: str


class FileCoverage(msgspec.Struct, frozen=True):
    """Coverage of one file by one engine. `because` is "" only for a scanned file."""

    path: str
    state: CoverageState
    because: str = ""


class ScanResult(msgspec.Struct, frozen=True):
    """Findings of one engine's run, and one line of coverage for each file that it was given.

    `comments` ask to ignore a rule. They change no finding: a control decides on each.
    """

    engine: str
    findings: tuple[Finding, ...]
    coverage: tuple[FileCoverage, ...]
    comments: tuple[IgnoreComment, ...] = ()
