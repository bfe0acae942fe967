"""Control of dependencies that a change brings: what blocks, and what is unknown."""

from typing import Any

import pytest

from muniment.controls.control import Case, ResultStatus
from muniment.controls.no_new_vulnerable_dependency import CONTROL
from muniment.decision.decision import format_sentences
from muniment.facts.maybe import Known
from muniment.facts.update_facts import AdvisoryData, ChangeDependencies, NewVulnerability, UnreadLock
from tests.support.changes import values

NOW = "2026-11-24T09:00:00.000000Z"
BEFORE = "2026-11-23T09:00:00.000000Z"
PYPI = AdvisoryData("PyPI", BEFORE)
MET, VIOLATED, UNKNOWN = ResultStatus.MET, ResultStatus.VIOLATED, ResultStatus.UNKNOWN


def evaluate(fact: ChangeDependencies, **parameters: Any) -> list[tuple[str, str]]:
    case = Case(values(change_dependencies=Known(fact)), CONTROL.parameters(**parameters), NOW, {})
    return [(reason.status, format_sentences(CONTROL.codes, reason)[0]) for reason in CONTROL.evaluate(case)]


def new(**more: Any) -> ChangeDependencies:
    one = NewVulnerability("uv.lock", "django", "4.1", "PYSEC-1", "low", **more)
    return ChangeDependencies(1, (one,), (), (PYPI,))


def test_a_change_of_no_lock_needs_no_advisories() -> None:
    found = evaluate(ChangeDependencies(0))
    assert found == [(ResultStatus.NOT_APPLICABLE, "The change alters no lock file.")]


def test_dependencies_without_a_vulnerability_are_met() -> None:
    found = evaluate(ChangeDependencies(2, data=(PYPI,)))
    assert found == [
        (MET, "No dependency that the change brings has a known vulnerability. Altered lock files: 2."),
    ]


@pytest.mark.parametrize(
    ("fact", "status", "sentence"),
    [
        (new(safe_version="4.2"), VIOLATED, "uv.lock: django 4.1 has PYSEC-1, severity low."),
        (new(), VIOLATED, "uv.lock: django 4.1 has PYSEC-1, severity low, and no safe version is known."),
        (new(is_malware=True), VIOLATED, "uv.lock: django 4.1 is malware (PYSEC-1)."),
        (new(is_certain=False), UNKNOWN, "uv.lock: PYSEC-1 does not say whether it affects django 4.1."),
        (
            ChangeDependencies(0, (), (UnreadLock("uv.lock", "it is no TOML"),)),
            UNKNOWN,
            "The dependencies of uv.lock are unknown: it is no TOML.",
        ),
        (ChangeDependencies(1, data=(AdvisoryData("npm", ""),)), UNKNOWN, "No advisories for npm were read."),
        (
            ChangeDependencies(1, data=(AdvisoryData("npm", "2026-11-01T00:00:00.000000Z", "it is cut off"),)),
            UNKNOWN,
            "The advisories for npm are of 2026-11-01: it is cut off.",
        ),
    ],
)
def test_what_a_change_brings_blocks_or_is_unknown(fact: ChangeDependencies, status: str, sentence: str) -> None:
    assert evaluate(fact) == [(status, sentence)]


def test_a_severity_that_the_policy_leaves_out_does_not_block_and_malware_always_does() -> None:
    found = evaluate(new(), severities=("critical",))
    assert found == [(MET, "uv.lock: django 4.1 has PYSEC-1, severity low. This does not block.")]
    assert evaluate(new(is_malware=True), severities=("critical",))[0][0] == VIOLATED
