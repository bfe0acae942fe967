"""Texts of rules whose checks are code: requirement, weakness, severity and remedy, as data."""

import tomllib
from functools import cache
from pathlib import Path

import msgspec

from muniment.scanners.findings import Severity
from muniment.scanners.rules import find_category


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


@cache
def load_rule_texts(path: Path) -> dict[str, RuleText]:
    """Load the texts of one engine's rules by id."""
    return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), dict[str, RuleText])
