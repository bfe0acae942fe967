"""Places of infrastructure files that violate a rule, and the findings made of them."""

from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from muniment.scanners.findings import Confidence, Finding, Location
from muniment.scanners.fingerprints import MOST_SNIPPET, compute_fingerprint
from muniment.scanners.rule_texts import FindingPlace, RuleText, load_rule_texts


class UnreadableFileError(Exception):
    """A file cannot be parsed; the text says why."""


class Violation(Struct, frozen=True, order=True):
    """Line, counted from 1, that violates a rule. `symbol`: the service, resource or build stage around it."""

    line: int
    rule: str
    symbol: str = ""


def load_infrastructure_rules() -> dict[str, RuleText]:
    """Load the rules of the engine by id."""
    return load_rule_texts(Path(__file__).with_name("rules.toml"))


def build_findings(path: str, text: str, violations: Iterable[Violation]) -> list[Finding]:
    """Build the findings of one file. The snippet is the line."""
    rules = load_infrastructure_rules()
    lines = text.split("\n")
    counts: dict[tuple[str, str, str], int] = {}
    found = []
    for one in sorted(set(violations)):
        snippet = lines[one.line - 1].strip() if one.line <= len(lines) else ""
        key = (one.rule, one.symbol, snippet)
        counts[key] = counts.get(key, -1) + 1
        place = FindingPlace(
            location=Location(path, one.line, 1, one.line, len(snippet.encode()) + 1),
            confidence=Confidence.HIGH,
            symbol=one.symbol,
            # A manifest's line may have a value of a Secret: the finding does not repeat it.
            snippet="" if one.rule == "secret-in-manifest" else snippet[:MOST_SNIPPET],
            fingerprint=compute_fingerprint(one.rule, snippet, one.symbol, counts[key]),
        )
        rule = rules[one.rule]
        found.append(rule.make_finding(one.rule, rule.message, place))
    return found
