"""Rules: each reports its bad examples and no good one, and says what a developer needs."""

import pytest

from muniment.scanners.findings import CoverageState, SourceFile
from muniment.scanners.owasp_categories import load_categories
from muniment.scanners.python.analysis import scan_python
from muniment.scanners.python.contexts import CONTEXTS
from muniment.scanners.rules import ScanRule, load_scan_rules

RULES = list(load_scan_rules().values())
EXAMPLES = [
    pytest.param(rule.id, example.code, bad, id=f"{rule.id}-{'bad' if bad else 'good'}-{number}")
    for rule in RULES
    for bad, examples in ((True, rule.bad), (False, rule.good))
    for number, example in enumerate(examples)
]


@pytest.mark.parametrize(("rule", "code", "bad"), EXAMPLES)
def test_a_rule_reports_its_bad_examples_and_no_good_one(rule: str, code: str, bad: bool) -> None:
    result = scan_python([SourceFile("app.py", code.encode())])
    assert [line.state for line in result.coverage] == [CoverageState.SCANNED]
    assert any(finding.rule == rule for finding in result.findings) is bad


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_has_all_that_a_finding_shows(rule: ScanRule) -> None:
    assert rule.bad
    assert rule.good
    assert rule.remedy.strip()
    assert rule.find_category(2021) or rule.find_category(2025)
    for text in (rule.requirement, rule.impact, rule.message):
        assert text.endswith(".")
        assert len(text.split()) <= 20
    assert {sink.context for sink in rule.sink} <= CONTEXTS.keys()
    assert rule.sink or rule.pattern or rule.special


def test_the_categories_are_those_of_both_editions() -> None:
    codes = sorted(load_categories())
    assert codes == sorted(f"A{number:02}:{year}" for number in range(1, 11) for year in (2021, 2025))


def test_the_rules_reach_each_category_of_2025_that_source_can_show() -> None:
    reached = {rule.find_category(2025) for rule in RULES}
    assert {f"A{number:02}:2025" for number in (1, 2, 4, 5, 6, 7, 8, 9, 10)} - reached == set()
