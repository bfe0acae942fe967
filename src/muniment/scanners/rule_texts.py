"""Rule of an engine as a person reads it: requirement, weakness, severity and remedy, as data."""

import tomllib
from functools import cache
from pathlib import Path

import msgspec

from muniment.scanners.findings import Confidence, Finding, Location, Severity, Step
from muniment.scanners.owasp_categories import find_category


class FindingPlace(msgspec.Struct, frozen=True):
    """Place that violates a rule. `symbol` and `snippet`: the function or resource around it, and the text there."""

    location: Location
    confidence: Confidence
    symbol: str
    snippet: str
    fingerprint: str
    steps: tuple[Step, ...] = ()


class RuleText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Requirement on files, with what a person reads where it is not met."""

    requirement: str
    cwe: int
    severity: Severity
    impact: str
    message: str
    remedy: str
    listed_as: int = 0  # a broader CWE, if the Top 10 lists only that

    def find_category(self, year: int) -> str:
        """Find the OWASP category of the rule in the edition of a year, "" if there is none."""
        return find_category(self.cwe, year) or find_category(self.listed_as, year)

    def make_finding(self, rule: str, message: str, place: FindingPlace, severity: Severity | None = None) -> Finding:
        """Make the finding of a place that violates the rule with the id `rule`.

        `message` follows the requirement, "" for none. `severity`: of this place, None for the rule's own.
        """
        return Finding(
            rule=rule,
            requirement=self.requirement,
            cwe=self.cwe,
            owasp_2021=self.find_category(2021),
            owasp_2025=self.find_category(2025),
            severity=self.severity if severity is None else severity,
            impact=self.impact,
            message=f"Requirement not met: {self.requirement} {message}".rstrip(),
            remedy=self.remedy,
            location=place.location,
            steps=place.steps,
            confidence=place.confidence,
            symbol=place.symbol,
            snippet=place.snippet,
            fingerprint=place.fingerprint,
        )


@cache
def load_rule_texts(path: Path) -> dict[str, RuleText]:
    """Load the texts of one engine's rules by id."""
    return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), dict[str, RuleText])
