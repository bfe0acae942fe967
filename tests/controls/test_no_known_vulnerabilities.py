"""Control of known vulnerabilities: what is overdue, what is malware, and what is unknown."""

from typing import Any

import pytest

from muniment.controls.control import Case, ResultStatus
from muniment.controls.no_known_vulnerabilities import CONTROL
from muniment.decision.decision import format_sentences
from muniment.facts.maybe import Known
from muniment.facts.update_facts import AdvisoryData, LockReading, OpenAdvisory, ProductAdvisories, UnreadLock
from tests.support.changes import values

NOW = "2026-11-24T09:00:00.000000Z"
BEFORE = "2026-11-23T09:00:00.000000Z"
PYPI = AdvisoryData("PyPI", BEFORE)
READING = LockReading("shop", BEFORE)
MET, VIOLATED, UNKNOWN = ResultStatus.MET, ResultStatus.VIOLATED, ResultStatus.UNKNOWN
NONE_OVERDUE = "No security update is overdue; {} advisories are open and not due yet."


def evaluate(
    *advisories: OpenAdvisory,
    readings: tuple[LockReading, ...] = (READING,),
    data: tuple[AdvisoryData, ...] = (PYPI,),
    **parameters: Any,
) -> list[tuple[str, str]]:
    facts = values(product_advisories=Known(ProductAdvisories(readings, data, advisories)))
    case = Case(facts, CONTROL.parameters(**parameters), NOW, {})
    return [(reason.status, format_sentences(CONTROL.codes, reason)[0]) for reason in CONTROL.evaluate(case)]


def advisory(severity: str = "critical", since: str = "2026-11-20T08:00:00.000000Z", **more: Any) -> OpenAdvisory:
    return OpenAdvisory(7, "PYSEC-2026-1", "django", "5.2.7", "uv.lock", severity, since, **more)


def test_a_product_without_repository_has_no_dependencies() -> None:
    assert evaluate(readings=()) == [(ResultStatus.NOT_APPLICABLE, "The product has no repository.")]


@pytest.mark.parametrize(
    ("severity", "days", "due"),
    [("critical", 2, "22"), ("high", 4, "24"), ("medium", 3, "23"), ("low", 1, "21"), ("severe", 3, "23")],
)
def test_each_severity_has_its_due_date_and_another_word_is_high(severity: str, days: int, due: str) -> None:
    key = f"{severity}_days" if severity != "severe" else "high_days"
    limits: dict[str, Any] = {key: days}
    assert evaluate(advisory(severity), **limits) == [
        (
            VIOLATED,
            f"uv.lock: the update of django 5.2.7 was due on 2026-11-{due}. Advisory PYSEC-2026-1, "
            f"severity {severity}.",
        )
    ]
    limits = {key: 5}
    assert evaluate(advisory(severity), **limits) == [(MET, NONE_OVERDUE.format(1))]


def test_development_only_gives_more_days_only_if_the_policy_says_so() -> None:
    one = advisory(is_development=True)
    assert evaluate(one)[0][0] == VIOLATED
    assert evaluate(one, more_development_days=5) == [(MET, NONE_OVERDUE.format(1))]
    assert evaluate(advisory(), more_development_days=5)[0][0] == VIOLATED


def test_malware_has_no_due_date_and_is_violated_at_once() -> None:
    found = evaluate(advisory(since="", is_malware=True))
    assert found == [(VIOLATED, "uv.lock: django 5.2.7 is malware (PYSEC-2026-1).")]


def test_an_advisory_that_names_no_versions_is_unknown() -> None:
    found = evaluate(advisory("low", is_certain=False))
    assert found == [(UNKNOWN, "uv.lock: PYSEC-2026-1 does not say whether it affects django 5.2.7.")]


@pytest.mark.parametrize(
    ("reading", "sentence"),
    [
        (LockReading("shop", ""), "The lock files of shop were not read yet."),
        (LockReading("shop", "", "it is gone"), "The lock files of shop could not be read: it is gone."),
        (LockReading("shop", BEFORE, "it is gone"), "The lock files of shop could not be read: it is gone."),
        (LockReading("shop", "2026-11-01T09:00:00.000000Z"), "The lock files of shop were last read on 2026-11-01."),
        (
            LockReading("shop", BEFORE, unread=(UnreadLock("a/package.json", "it has no lock"),)),
            "The dependencies of a/package.json are unknown: it has no lock.",
        ),
    ],
)
def test_dependencies_that_were_not_read_are_unknown(reading: LockReading, sentence: str) -> None:
    assert (UNKNOWN, sentence) in evaluate(readings=(reading,))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (AdvisoryData("npm", ""), "No advisories for npm were read."),
        (AdvisoryData("npm", "", "the server is down"), "No advisories for npm were read: the server is down."),
        (AdvisoryData("npm", "2026-11-17T08:59:59.000000Z"), "The advisories for npm are of 2026-11-17."),
        (
            AdvisoryData("npm", "2026-11-10T09:00:00.000000Z", "it is cut off"),
            "The advisories for npm are of 2026-11-10: it is cut off.",
        ),
    ],
)
def test_missing_or_old_advisories_are_unknown_and_never_none(data: AdvisoryData, sentence: str) -> None:
    assert (UNKNOWN, sentence) in evaluate(data=(PYPI, data))


def test_advisories_within_their_age_are_enough_although_the_source_failed_since() -> None:
    assert evaluate(data=(AdvisoryData("PyPI", BEFORE, "it is cut off"),)) == [(MET, NONE_OVERDUE.format(0))]
