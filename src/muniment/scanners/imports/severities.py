"""Severities and weaknesses that tools write into SARIF, each in its own way."""

import math
import re
from collections.abc import Iterator

from muniment.scanners.findings import Severity
from muniment.scanners.imports.document import Rule, SarifError, SarifResult

_CWE = re.compile(r"(?i)(?:external/cwe/)?cwe-0*([0-9]{1,5})(?![0-9])")
_LEVELS = {"error": Severity.HIGH, "warning": Severity.MEDIUM, "note": Severity.LOW}
_LEAST_SCORES = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM))
_KNOWN_LEVELS = (*_LEVELS, "none")


def read_severity(result: SarifResult, rule: Rule | None) -> Severity | None:
    """Read the severity that the tool gives: by its score from 0 to 10, its word, or its level; None if it gives none.

    Raises SarifError for a score or a level that does not exist.
    """
    for properties in (result.properties, rule.properties if rule else {}):
        if (score := _read_score(properties.get("security-severity"))) is not None:
            return _find_severity(score)
        word = properties.get("severity")
        if isinstance(word, str) and word.lower() in [one.value for one in Severity]:
            return Severity(word.lower())
    configured = rule.default_configuration.level if rule and rule.default_configuration else None
    level = result.level if result.level is not None else configured
    if level is not None and level not in _KNOWN_LEVELS:
        raise SarifError("a result has a level that SARIF does not have", "Let the tool write SARIF 2.1.0.")
    return None if level is None else _LEVELS.get(level)


def _read_score(value: object) -> float | None:
    if value is None or value == "":
        return None
    try:
        score = float(value) if isinstance(value, str | int | float) else math.nan
    except ValueError:
        score = math.nan
    if not 0 <= score <= 10:
        raise SarifError("a severity is no number from 0 to 10", "Correct `security-severity` in the tool's rules.")
    return score


def _find_severity(score: float) -> Severity | None:
    """Severity of a score of CVSS; None for 0, by which tools mean that they do not know."""
    if not score:
        return None
    return next((severity for least, severity in _LEAST_SCORES if score >= least), Severity.LOW)


def read_weaknesses(result: SarifResult, rule: Rule | None) -> tuple[int, ...]:
    """Read the CWE numbers that tags and relations of a rule name, in their order."""
    texts = [*_list_tags(result.properties)]
    if rule is not None:
        texts += _list_tags(rule.properties)
        for relation in rule.relationships:
            component = relation.target.tool_component
            if component is not None and component.name is not None and component.name.upper() == "CWE":
                number = (relation.target.id or "").upper().removeprefix("CWE-")
                texts.append(f"CWE-{number}")
    found = [int(match[1]) for text in texts if (match := _CWE.match(text))]
    return tuple(dict.fromkeys(number for number in found if number))


def _list_tags(properties: dict[str, object]) -> Iterator[str]:
    for key in ("tags", "cwe"):
        value = properties.get(key)
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str):
                yield one
