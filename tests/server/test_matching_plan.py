"""Plan of a matching: every advisory has a due date with a reason for it, or says why it has none."""

from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from muniment.server.updates.advisory_lists import find_percentile
from muniment.server.updates.matching_plan import (
    FoundAdvisory,
    KnownAdvisory,
    MatchingClock,
    decode_plan,
    encode_plan,
    plan_matching,
)
from muniment.updates.advisory_exports import read_export
from muniment.updates.advisory_index import AdvisoryIndex
from muniment.updates.due_dates import DEFAULT_DAYS, ClockStart

REAL = Path(__file__).parents[3] / "shared/data/osv-pypi-2024-10-10.zip"
NOW = "2026-11-24T09:00:00.000000Z"
CONNECTED = "2020-01-01T00:00:00.000000Z"
CLOCK = MatchingClock(NOW, CONNECTED, "", {level.value: days for level, days in DEFAULT_DAYS.items()})
FOUND = FoundAdvisory(
    lock_path="uv.lock",
    ecosystem="PyPI",
    package="django",
    advisory="PYSEC-1",
    names=("PYSEC-1", "CVE-1"),
    summary="",
    versions=("4.1",),
    places=("refs/heads/main",),
    route=(),
    severity="high",
    severity_origin="advisory",
    is_certain=True,
    is_malware=False,
    is_development=False,
    safe_version="4.2",
    published="2026-11-01T00:00:00.000000Z",
    first_seen="2026-11-02T00:00:00.000000Z",
    introduced="2026-01-01T00:00:00.000000Z",
)


def known(number: int = 1, **more: Any) -> KnownAdvisory:
    values: dict[str, Any] = {
        "lock_path": "uv.lock",
        "ecosystem": "PyPI",
        "package": "django",
        "advisory": "PYSEC-1",
        "names": ("PYSEC-1",),
        "places": ("refs/heads/main",),
        "severity": "high",
        "is_certain": True,
        "is_malware": False,
        "is_development": False,
        "clock_from": "2026-11-01T00:00:00.000000Z",
        "has_ended": False,
    }
    return KnownAdvisory(number, **(values | more))


def plan_one(one: FoundAdvisory = FOUND, clock: MatchingClock = CLOCK, **more: Any) -> tuple[str, str]:
    (new,) = plan_matching([structs.replace(one, **more)], (), clock).new
    return new.clock_from, new.clock_start


@pytest.mark.skipif(not REAL.exists(), reason="needs the export of PyPI of 10 October 2024")
def test_each_advisory_of_the_real_export_has_a_due_date_with_its_reason_or_says_why_not() -> None:
    export = read_export(REAL.read_bytes(), NOW)
    index = AdvisoryIndex(export.advisories)
    starts: dict[str, int] = {}
    for advisory in export.advisories:
        if advisory.withdrawn:
            starts["withdrawn"] = starts.get("withdrawn", 0) + 1
            continue
        vulnerability = index.find_vulnerability(advisory.id)
        assert vulnerability is not None, advisory.id
        found = structs.replace(
            FOUND,
            advisory=vulnerability.id,
            names=vulnerability.names,
            severity=vulnerability.rating.severity.value,
            published=vulnerability.published,
            is_malware=vulnerability.is_malware,
            introduced=CONNECTED,
        )
        clock_from, start = plan_one(found)
        assert (start == "malware") is (clock_from == "") is vulnerability.is_malware
        starts[start] = starts.get(start, 0) + 1
    assert (len(export.advisories), starts["withdrawn"]) == (2661, 10)
    assert starts.keys() <= {"withdrawn", "malware", *(start.value for start in ClockStart)}
    assert (starts["publication"] > 0, starts["connection"] > 0, starts["first-sight"] > 0) == (True, True, True)


def test_the_clock_starts_at_the_latest_of_its_events() -> None:
    assert plan_one() == (FOUND.published, "publication")
    assert plan_one(published="") == (FOUND.first_seen, "first-sight")
    assert plan_one(introduced="2026-11-20T00:00:00.000000Z") == ("2026-11-20T00:00:00.000000Z", "introduction")
    clock = structs.replace(CLOCK, connected="2026-11-21T00:00:00.000000Z")
    assert plan_one(clock=clock) == ("2026-11-21T00:00:00.000000Z", "connection")


def test_a_date_of_publication_in_the_future_gains_no_time() -> None:
    assert plan_one(published="2099-01-01T00:00:00.000000Z") == (FOUND.first_seen, "first-sight")


def test_malware_has_no_clock() -> None:
    assert plan_one(is_malware=True) == ("", "malware")


def test_what_a_correction_adds_counts_from_when_we_saw_it() -> None:
    clock = structs.replace(CLOCK, matched="2026-11-10T00:00:00.000000Z")
    assert plan_one(clock=clock) == (NOW, "first-sight")
    assert plan_one(clock=clock, introduced="2026-11-20T00:00:00.000000Z")[1] == "introduction"


def test_a_higher_severity_gives_its_days_anew_and_never_more_time_than_before() -> None:
    raised = structs.replace(FOUND, severity="critical")
    (changed,) = plan_matching([raised], [known()], CLOCK).changed
    # Due before: 15 November. Two days from a clock at 13 November are that same day.
    assert changed.clock_from == "2026-11-13T00:00:00.000000Z"
    (changed,) = plan_matching([raised], [known(clock_from="2026-11-22T00:00:00.000000Z")], CLOCK).changed
    assert changed.clock_from == NOW
    (changed,) = plan_matching([structs.replace(FOUND, severity="low")], [known()], CLOCK).changed
    assert changed.clock_from == "2026-11-01T00:00:00.000000Z"


def test_a_row_that_is_there_again_goes_on_with_its_clock() -> None:
    plan = plan_matching([FOUND], [known(has_ended=True)], CLOCK)
    assert [(one.number, one.clock_from) for one in plan.changed] == [(1, "2026-11-01T00:00:00.000000Z")]


def test_malware_that_was_none_gets_a_clock_and_the_other_way_round() -> None:
    (changed,) = plan_matching([FOUND], [known(is_malware=True, clock_from="")], CLOCK).changed
    assert (changed.clock_from, changed.clock_start) == (FOUND.published, "publication")
    (changed,) = plan_matching([structs.replace(FOUND, is_malware=True)], [known()], CLOCK).changed
    assert changed.clock_from == ""


def test_nothing_that_could_not_be_read_ends_a_row() -> None:
    unread = frozenset({("refs/heads/main", "uv.lock")})
    assert plan_matching([], [known()], CLOCK, unread).ended == ()
    assert plan_matching([], [known()], CLOCK).ended == (1,)
    assert plan_matching([], [known(has_ended=True)], CLOCK).ended == ()


def test_an_unchanged_row_needs_no_record_and_a_plan_survives_its_encoding() -> None:
    plan = plan_matching([FOUND], [known()], CLOCK)
    assert (len(plan.moved), plan.needs_record) == (1, False)
    other = plan_matching([FOUND], [], CLOCK)
    assert decode_plan(encode_plan(other)) == other


def test_two_rows_of_one_vulnerability_become_one() -> None:
    rows = [known(1, advisory="GHSA-1", names=("GHSA-1", "CVE-1")), known(2, advisory="CVE-1", names=("CVE-1",))]
    plan = plan_matching([FOUND], rows, CLOCK)
    assert ([one.number for one in plan.changed], plan.ended) == ([1], (2,))


@pytest.mark.parametrize(("count", "rank"), [(1, 1), (19, 19), (20, 19), (100, 95)])
def test_the_percentile_is_the_nearest_rank(count: int, rank: int) -> None:
    assert find_percentile([float(number) for number in range(1, count + 1)]) == rank
