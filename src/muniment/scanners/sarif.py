"""SARIF 2.1.0 of a scan, with the tags by which forges show weaknesses."""

from collections.abc import Iterable

from muniment.scanners.findings import CoverageState, Finding, Location, ScanResult, Severity
from muniment.scanners.own_rules import load_own_rules
from muniment.scanners.rule_texts import RuleText
from muniment.scanners.rule_titles import find_title

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT = "muniment/v1"
_LEVELS = {Severity.CRITICAL: "error", Severity.HIGH: "error", Severity.MEDIUM: "warning", Severity.LOW: "note"}
_SCORES = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.5", Severity.LOW: "2.5"}

SarifDocument = dict[str, object]


def build_sarif(results: Iterable[ScanResult], version: str) -> SarifDocument:
    """Build the SARIF document of several engines' results, one run each."""
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [_build_run(result, version) for result in results]}


def _build_run(result: ScanResult, version: str) -> SarifDocument:
    rules = _list_rules(result)
    order = {name: number for number, name in enumerate(rules)}
    failed = [line for line in result.coverage if line.state in (CoverageState.FAILED, CoverageState.PARTIAL)]
    return {
        "tool": {
            "driver": {
                "name": "Muniment",
                "version": version,
                "rules": [_build_rule(name, rule) for name, rule in rules.items()],
            }
        },
        "automationDetails": {"id": result.engine},
        "columnKind": "utf16CodeUnits",
        "invocations": [
            {
                "executionSuccessful": not failed,
                "toolExecutionNotifications": [
                    {
                        "level": "error" if line.state is CoverageState.FAILED else "warning",
                        "message": {"text": f"{line.path}: {line.state.value}, because {line.because}"},
                        "locations": [{"physicalLocation": {"artifactLocation": {"uri": _encode_path(line.path)}}}],
                    }
                    for line in failed
                ],
            }
        ],
        "artifacts": [
            {"location": {"uri": _encode_path(line.path)}, "properties": {"coverage": line.state.value}}
            for line in result.coverage
        ],
        "results": [_build_result(finding, order) for finding in result.findings],
    }


def _list_rules(result: ScanResult) -> dict[str, RuleText]:
    """Rules of our own engines by id, and those that another engine's findings name."""
    rules = dict(load_own_rules())
    for one in result.findings:
        text = RuleText(one.requirement, one.cwe, one.severity, one.impact, one.message, one.remedy)
        rules.setdefault(one.rule, text)
    return rules


def _build_rule(name: str, rule: RuleText) -> SarifDocument:
    tags = ["security"]
    tags += [f"external/cwe/cwe-{rule.cwe:03d}"] if rule.cwe else []
    tags += [f"external/owasp/{category}" for year in (2021, 2025) if (category := rule.find_category(year))]
    return {
        "id": name,
        "shortDescription": {"text": find_title(name)},
        "fullDescription": {"text": f"{rule.requirement} {rule.impact}"},
        "help": {"text": rule.remedy},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"tags": tags, "security-severity": _SCORES[rule.severity]},
    }


def _build_result(finding: Finding, order: dict[str, int]) -> SarifDocument:
    result: SarifDocument = {
        "ruleId": finding.rule,
        "level": _LEVELS[finding.severity],
        "message": {"text": finding.message},
        "locations": [_build_location(finding.location)],
        "partialFingerprints": {FINGERPRINT: finding.fingerprint},
        "properties": {"severity": finding.severity.value, "confidence": finding.confidence.value},
    }
    if finding.rule in order:
        result["ruleIndex"] = order[finding.rule]
    if finding.steps:
        steps = [
            {"location": {**_build_location(step.location), "message": {"text": step.text}}} for step in finding.steps
        ]
        result["codeFlows"] = [{"threadFlows": [{"locations": steps}]}]
    return result


def _build_location(location: Location) -> SarifDocument:
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": _encode_path(location.path)},
            "region": {
                "startLine": location.line,
                "startColumn": location.column,
                "endLine": location.end_line,
                "endColumn": max(location.end_column, 1),
            },
        }
    }


def _encode_path(path: str) -> str:
    """Percent-encode a path as the reference of a URI."""
    safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/"
    return "".join(
        chr(byte) if chr(byte) in safe else f"%{byte:02X}" for byte in path.encode("utf-8", "surrogateescape")
    )
