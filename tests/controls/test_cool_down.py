"""Control of the age of releases: which ones wait, which need not, and what is unknown."""

from typing import Any

import pytest

from muniment.controls.control import Case, ResultStatus
from muniment.controls.cool_down import CONTROL
from muniment.decision.decision import format_sentences
from muniment.facts.maybe import Known
from muniment.facts.update_facts import ChangeReleases, NewRelease, UnreadLock
from tests.support.changes import values

NOW = "2026-11-24T09:00:00.000000Z"
MET, VIOLATED, UNKNOWN = ResultStatus.MET, ResultStatus.VIOLATED, ResultStatus.UNKNOWN
ENOUGH = [(MET, "No release that the change brings is too young. New releases: 1.")]


def evaluate(fact: ChangeReleases, **parameters: Any) -> list[tuple[str, str]]:
    case = Case(values(change_releases=Known(fact)), CONTROL.parameters(**parameters), NOW, {})
    return [(reason.status, format_sentences(CONTROL.codes, reason)[0]) for reason in CONTROL.evaluate(case)]


def release(published: str, **more: Any) -> ChangeReleases:
    return ChangeReleases(1, (NewRelease("uv.lock", "django", "5.2.9", published, **more),))


def test_a_change_of_no_lock_brings_no_release() -> None:
    assert evaluate(ChangeReleases(0)) == [(ResultStatus.NOT_APPLICABLE, "The change alters no lock file.")]


@pytest.mark.parametrize(
    ("published", "fixes", "sentence"),
    [
        ("2026-11-17T09:00:00.000000Z", "", ""),
        ("2026-11-17T09:00:00.000001Z", "", "published on 2026-11-17, and releases wait 7 days."),
        ("2026-11-23T09:00:00.000000Z", "low", ""),
        ("2026-11-23T09:00:00.000001Z", "low", "published on 2026-11-23, and fixes wait 24 hours."),
        ("2026-11-24T08:59:00.000000Z", "high", "published on 2026-11-24, and fixes wait 24 hours."),
    ],
)
def test_a_release_waits_seven_days_and_one_that_fixes_a_vulnerability_one(
    published: str, fixes: str, sentence: str
) -> None:
    expected = [(VIOLATED, f"uv.lock: django 5.2.9 was {sentence}")] if sentence else ENOUGH
    assert evaluate(release(published, fixes=fixes)) == expected


@pytest.mark.parametrize("more", [{"fixes": "critical"}, {"fixes": "low", "is_exploited": True}])
@pytest.mark.parametrize("published", [NOW, ""])
def test_a_fix_that_is_critical_or_exploited_does_not_wait(published: str, more: dict[str, Any]) -> None:
    (found,) = evaluate(release(published, **more))
    assert found == (
        MET,
        "uv.lock: django 5.2.9 fixes a vulnerability that is critical or exploited. It need not wait.",
    )


def test_a_release_of_unknown_age_is_unknown_unless_none_has_to_wait() -> None:
    assert evaluate(release("", why="the registry is down")) == [
        (UNKNOWN, "uv.lock: when django 5.2.9 was published is not known: the registry is down.")
    ]
    assert evaluate(release("")) == [(UNKNOWN, "uv.lock: when django 5.2.9 was published is not known.")]
    assert evaluate(release(""), days=0) == ENOUGH


def test_a_fix_never_waits_longer_than_other_releases() -> None:
    assert evaluate(release("2026-11-23T08:00:00.000000Z", fixes="low"), days=1, fix_hours=48) == ENOUGH


def test_a_file_that_cannot_be_read_is_unknown() -> None:
    found = evaluate(ChangeReleases(0, (), (UnreadLock("uv.lock", "it is no TOML"),)))
    assert found == [(UNKNOWN, "The dependencies of uv.lock are unknown: it is no TOML.")]


def test_the_reason_says_when_the_wait_ends() -> None:
    case = Case(values(change_releases=Known(release("2026-11-20T09:00:00.000000Z"))), CONTROL.parameters(), NOW, {})
    (reason,) = CONTROL.evaluate(case)
    assert reason.details["waits_until"] == "2026-11-27T09:00:00.000000Z"
    assert format_sentences(CONTROL.codes, reason)[1] == "Use an older release, or wait until 2026-11-27 09:00 UTC."
