"""What the control of supported frameworks answers, case by case; every answer has its sentences."""

from typing import Any

import pytest

from muniment.controls.control import Case
from muniment.controls.frameworks_supported import CONTROL
from muniment.decision.decision import format_sentences
from muniment.facts.dependency_facts import FrameworkFile, FrameworkUse
from muniment.facts.framework_support import NO_END_YET, SUPPORTED_FRAMEWORKS, find_framework, find_support_end
from muniment.facts.maybe import Known, Maybe, Unknown
from tests.support.changes import values

NOW = "2026-11-24T09:00:00.000000Z"


def answered(uses: Maybe[tuple[FrameworkUse, ...]], parameters: Any = None, now: str = NOW) -> list[str]:
    files = Known((FrameworkFile("uv.lock", uses),))
    case = Case(values(frameworks=files), CONTROL.parameters(**(parameters or {})), now, {})
    return [format_sentences(CONTROL.codes, reason)[0] for reason in CONTROL.evaluate(case)]


def use(name: str, version: str) -> Known[tuple[FrameworkUse, ...]]:
    return Known((FrameworkUse(name, version),))


@pytest.mark.parametrize(
    ("uses", "sentence"),
    [
        (use("Django", "5.2.1"), "uv.lock: Django 5.2.1 is supported."),
        (use("Next.js", "16.0.0"), "uv.lock: Next.js 16.0.0 is supported."),
        (use("Django", "4.2.30"), "uv.lock: support of Django 4.2.30 ended on 2026-04-07."),
        (use("Django", "1.11"), "uv.lock: support of Django 1.11 ended on 2024-04-01."),
        (
            use("Spring Boot", "4.0.7"),
            "uv.lock: support of Spring Boot 4.0.7 ends on 2026-12-31. Plan the update to a newer line now.",
        ),
        (
            use("Django", "99.0"),
            "uv.lock: the end of support of Django 99.0 is not known to this version of Muniment.",
        ),
        (use("Django", ""), "uv.lock: the end of support of Django  is not known to this version of Muniment."),
        (Known(()), "No framework with published support dates is used."),
        (Unknown("it is not TOML"), "The frameworks of uv.lock are unknown: it is not TOML."),
    ],
)
def test_each_framework_is_evaluated_by_its_line(uses: Maybe[tuple[FrameworkUse, ...]], sentence: str) -> None:
    assert answered(uses) == [sentence]


def test_the_last_day_of_support_still_counts_and_the_policy_says_when_to_warn() -> None:
    boot = use("Spring Boot", "4.0.7")
    assert "ends on" in answered(boot, now="2026-12-31T23:59:59.000000Z")[0]
    assert "ended on" in answered(boot, now="2027-01-01T00:00:00.000000Z")[0]
    assert "is supported" in answered(boot, {"warning_days": 30})[0]


def test_no_framework_or_version_is_guessed() -> None:
    assert find_support_end("Rails", "8.0") is None
    assert find_support_end("Django", "latest") is None
    assert find_support_end("Django", "1!5.2") is None
    assert find_framework("npm", "django") is None
    assert find_support_end("Django", "5") == "2025-04-02"


def test_lines_of_the_table_ascend_and_their_ends_are_days() -> None:
    for framework in SUPPORTED_FRAMEWORKS:
        lines = [tuple(map(int, line.split("."))) for line in framework.ends]
        assert lines == sorted(lines)
        assert len({len(line) for line in lines}) == 1
        assert all(len(end) == len(NO_END_YET) for end in framework.ends.values())
        assert all(find_framework(*package) is framework for package in framework.packages)
