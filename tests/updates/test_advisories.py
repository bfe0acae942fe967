"""Advisories: ranges, aliases, withdrawals, severities, due dates, exports."""

import json
from pathlib import Path
from typing import Any

import pytest

from muniment.errors import MunimentError, ParseError, UsageError
from muniment.updates.advisories import Affected, parse_advisory
from muniment.updates.advisory_exports import (
    EMPTY_EXPORT,
    compare_exports,
    fetch_export,
    is_stale,
    official_location,
    read_export,
)
from muniment.updates.advisory_index import AdvisoryIndex, DependencyIndex
from muniment.updates.dependencies import Dependency, Ecosystem, Lock, LockFormat
from muniment.updates.due_dates import ClockStart, DueDate, NoClock, compute_due_date
from muniment.updates.severities import AdvisorySeverity, SeverityOrigin, rate_severity, rate_vector
from tests.support.advisory_exports import NOW, fixed_in, pack_export, read_advisory, write_advisory

SHARED = Path(__file__).parents[3] / "shared" / "data" / "osv-pypi-2024-10-10.zip"


def check(version: str, ecosystem: str = "PyPI", **more: Any) -> Affected:
    (affected,) = read_advisory("A-1", ecosystem=ecosystem, **more).affected
    return affected.check_version(version)


@pytest.mark.parametrize(
    ("version", "events", "expected"),
    [
        ("1.0", fixed_in("1.1"), Affected.YES),
        ("1.1", fixed_in("1.1"), Affected.NO),
        ("1.1rc1", fixed_in("1.1"), Affected.YES),
        ("0.dev0", fixed_in("1.1"), Affected.YES),
        ("1!0.1", fixed_in("1.1"), Affected.NO),
        ("1.0+local", fixed_in("1.0"), Affected.NO),
        ("1.0", [{"introduced": "1.0"}, {"last_affected": "1.0"}], Affected.YES),
        ("1.0+local", [{"introduced": "1.0"}, {"last_affected": "1.0"}], Affected.YES),
        ("1.0+local.2", [{"introduced": "1.0"}, {"fixed": "1.0+local.2"}], Affected.NO),
        ("1.0.1", [{"introduced": "1.0"}, {"last_affected": "1.0"}], Affected.NO),
        ("0.9", [{"introduced": "1.0"}], Affected.NO),
        ("2.5", [{"introduced": "2.0"}, {"introduced": "0"}, {"fixed": "1.0"}, {"fixed": "2.6"}], Affected.YES),
        ("1.5", [{"introduced": "2.0"}, {"introduced": "0"}, {"fixed": "1.0"}, {"fixed": "2.6"}], Affected.NO),
        ("1.0", [{"introduced": "1.0"}, {"fixed": "1.0"}], Affected.YES),
        ("3.0", [{"introduced": "0"}, {"limit": "2.0"}], Affected.NO),
        ("1.0", [{"introduced": "0"}, {"limit": "2.0"}], Affected.YES),
        ("1.0", [{"introduced": "not a version"}], Affected.UNDETERMINED),
        ("1.0", [{"fixed": "2.0"}], Affected.UNDETERMINED),
        ("not a version", fixed_in("1.1"), Affected.UNDETERMINED),
        ("1.0", [], Affected.UNDETERMINED),
        ("1.0", None, Affected.UNDETERMINED),
    ],
)
def test_a_range_decides_or_says_that_it_does_not(
    version: str, events: list[dict[str, str]] | None, expected: Affected
) -> None:
    assert check(version, events=events) is expected


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.0", Affected.YES),
        ("1.0.0", Affected.YES),
        ("1.0+x", Affected.YES),
        ("1.1", Affected.NO),
        ("", Affected.UNDETERMINED),
    ],
)
def test_listed_versions_count_however_they_are_written(version: str, expected: Affected) -> None:
    assert check(version, versions=["1.0"]) is expected


def test_ranges_of_commits_alone_say_nothing_of_versions() -> None:
    document = write_advisory("A-1")
    document["affected"][0]["ranges"] = [{"type": "GIT", "repo": "x", "events": [{"introduced": "0"}]}]
    (affected,) = parse_advisory(json.dumps(document).encode()).affected
    assert affected.check_version("1.0") is Affected.UNDETERMINED


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b"[]",
        b"\xff",
        b'{"id": "A", "modified": "yesterday"}',
        b'{"id": "A", "modified": "2020-01-01T00:00:00"}',
        json.dumps(write_advisory("A", events=[{"other": "1"}])).encode(),
    ],
)
def test_an_advisory_of_another_form_is_an_error(content: bytes) -> None:
    with pytest.raises(ParseError):
        parse_advisory(content)


def test_a_vulnerability_is_all_its_aliases_and_affects_what_one_of_them_affects() -> None:
    index = AdvisoryIndex(
        [
            read_advisory("PYSEC-1", events=fixed_in("1.0"), aliases=["CVE-1"]),
            read_advisory("GHSA-1", events=fixed_in("2.0"), aliases=["CVE-1"], published="2025-01-01T00:00:00Z"),
            read_advisory("GHSA-2", events=fixed_in("1.5")),
        ]
    )
    names = [match.vulnerability.names for match in index.match_version(Ecosystem.PYPI, "django", "1.7")]
    assert names == [("GHSA-1", "CVE-1", "PYSEC-1")]
    found = index.find_vulnerability("cve-1")
    assert found is not None
    assert found.published.startswith("2025")
    assert index.match_version(Ecosystem.PYPI, "django", "2.0") == ()


def test_a_withdrawn_advisory_matches_nothing_and_its_alias_still_does() -> None:
    withdrawn = read_advisory("GHSA-1", events=fixed_in("2.0"), withdrawn="2026-01-02T00:00:00Z", aliases=["PYSEC-1"])
    assert AdvisoryIndex([withdrawn]).match_version(Ecosystem.PYPI, "django", "1.0") == ()
    alias = read_advisory("PYSEC-1", events=fixed_in("1.5"))
    index = AdvisoryIndex([withdrawn, alias])
    assert len(index.match_version(Ecosystem.PYPI, "django", "1.0")) == 1
    assert index.match_version(Ecosystem.PYPI, "django", "1.7") == ()


def test_a_match_that_no_advisory_decides_is_not_certain() -> None:
    index = AdvisoryIndex([read_advisory("A-1"), read_advisory("A-2", "flask", events=fixed_in("2"))])
    assert [match.certain for match in index.match_version(Ecosystem.PYPI, "django", "1.0")] == [False]
    assert [match.certain for match in index.match_version(Ecosystem.PYPI, "flask", "garbage")] == [False]


def test_malware_is_known_by_its_identifier_or_an_alias() -> None:
    assert read_advisory("MAL-2026-1").is_malware
    assert read_advisory("GHSA-1", aliases=["MAL-2026-1"]).is_malware
    assert not read_advisory("GHSA-1").is_malware


CRITICAL_3 = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
HIGH_4 = "CVSS:4.0/AV:N/AC:H/AT:N/PR:N/UI:N/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N"


@pytest.mark.parametrize(
    ("own", "alias", "expected"),
    [
        (
            {"database_specific": {"severity": "MODERATE"}},
            {"database_specific": {"severity": "HIGH"}},
            ("medium", "advisory"),
        ),
        ({}, {"database_specific": {"severity": "LOW"}}, ("low", "alias")),
        (
            {"severity": [{"type": "CVSS_V3", "score": CRITICAL_3}]},
            {"database_specific": {"severity": "LOW"}},
            ("low", "alias"),
        ),
        ({"severity": [{"type": "CVSS_V3", "score": CRITICAL_3}]}, {}, ("critical", "vector")),
        ({}, {"severity": [{"type": "CVSS_V4", "score": HIGH_4}]}, ("high", "vector")),
        ({"severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N"}]}, {}, ("high", "assumed")),
        ({"database_specific": {"severity": "UNKNOWN"}}, {}, ("high", "assumed")),
        ({}, {}, ("high", "assumed")),
    ],
)
def test_severity_has_an_origin(own: dict[str, Any], alias: dict[str, Any], expected: tuple[str, str]) -> None:
    first = read_advisory("A-1", **own)
    rating = rate_severity(first, [first, read_advisory("B-1", **alias)])
    assert (rating.severity.value, rating.origin.value) == expected


@pytest.mark.parametrize(
    ("vector", "expected"),
    [
        (CRITICAL_3, AdvisorySeverity.CRITICAL),
        ("CVSS:3.0/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N", AdvisorySeverity.LOW),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", AdvisorySeverity.CRITICAL),
        ("AV:N/AC:M/Au:N/C:P/I:N/A:N", AdvisorySeverity.MEDIUM),
        ("CVSS:4.0/nonsense", None),
        ("CVSS:9.9/AV:N", None),
        ("", None),
        ("x" * 1000, None),
    ],
)
def test_vectors_are_rated(vector: str, expected: AdvisorySeverity | None) -> None:
    assert rate_vector(vector) is expected


DAYS = [f"2026-01-0{day}T00:00:00.000000Z" for day in range(1, 5)]


EVENTS: dict[str, Any] = dict.fromkeys(("published", "first_seen", "introduced", "connected"), DAYS[0])


def due(published: str, first_seen: str, introduced: str, connected: str) -> DueDate:
    found = compute_due_date(
        AdvisorySeverity.CRITICAL,
        published=published,
        first_seen=first_seen,
        introduced=introduced,
        connected=connected,
    )
    assert isinstance(found, DueDate)
    return found


@pytest.mark.parametrize(
    ("moments", "start", "day"),
    [
        ((DAYS[2], DAYS[3], DAYS[0], DAYS[1]), ClockStart.PUBLICATION, 5),
        (("", DAYS[3], DAYS[0], DAYS[1]), ClockStart.FIRST_SIGHT, 6),
        ((DAYS[0], DAYS[3], DAYS[2], DAYS[1]), ClockStart.INTRODUCTION, 5),
        ((DAYS[0], DAYS[3], DAYS[1], DAYS[2]), ClockStart.CONNECTION, 5),
    ],
)
def test_the_clock_starts_at_the_latest_event(moments: tuple[str, str, str, str], start: ClockStart, day: int) -> None:
    found = due(*moments)
    assert found.start is start
    assert found.due == f"2026-01-0{day}T00:00:00.000000Z"


@pytest.mark.parametrize(("severity", "days"), [("critical", 2), ("high", 14), ("medium", 30), ("low", 90)])
def test_each_severity_has_its_days(severity: str, days: int) -> None:
    found = compute_due_date(AdvisorySeverity(severity), **EVENTS)
    assert isinstance(found, DueDate)
    assert found.days == days


def test_malware_and_withdrawn_advisories_have_no_clock() -> None:
    assert compute_due_date(AdvisorySeverity.LOW, **EVENTS, is_malware=True) is NoClock.MALWARE
    assert compute_due_date(AdvisorySeverity.LOW, **EVENTS, is_malware=True, withdrawn=DAYS[0]) is NoClock.WITHDRAWN


def test_an_export_is_read_and_read_again_only_where_it_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    first = read_export(pack_export(write_advisory("A-1"), write_advisory("A-2")), NOW)
    assert first.as_of == "2026-01-09T00:00:00.000000Z"
    assert first.ecosystems == {Ecosystem.PYPI}
    parsed: list[bytes] = []

    def parse(content: bytes) -> Any:
        parsed.append(content)
        return parse_advisory(content)

    monkeypatch.setattr("muniment.updates.advisory_exports.parse_advisory", parse)
    changed = pack_export(
        write_advisory("A-2", withdrawn="2026-01-09T00:00:00Z"), write_advisory("A-1"), write_advisory("A-3")
    )
    second = read_export(changed, NOW, first)
    assert len(parsed) == 2
    change = compare_exports(first, second)
    assert (change.added, change.changed, change.withdrawn, change.vanished) == (("A-3",), ("A-2",), ("A-2",), ())
    assert compare_exports(second, EMPTY_EXPORT).vanished == ("A-1", "A-2", "A-3")


def test_dates_of_the_future_do_not_make_data_new() -> None:
    export = read_export(pack_export(write_advisory("A-1", modified="2099-01-01T00:00:00Z")), NOW)
    assert export.as_of == ""
    assert is_stale(export.as_of, NOW, 7)
    assert is_stale("2026-01-02T23:59:59.000000Z", NOW, 7)
    assert not is_stale("2026-01-03T00:00:00.000000Z", NOW, 7)


def test_every_shortened_or_altered_export_is_an_error() -> None:
    content = pack_export(*(write_advisory(f"A-{number}", summary="x" * 200) for number in range(3)))
    for length in range(0, len(content), 7):
        with pytest.raises(ParseError):
            read_export(content[:length], NOW)
    start = content.index(b"A-1.json") + len("A-1.json")
    for at in range(start, start + 40, 5):
        altered = bytearray(content)
        altered[at] ^= 0xFF
        with pytest.raises(ParseError):
            read_export(bytes(altered), NOW)


def test_an_export_without_advisories_is_an_error() -> None:
    with pytest.raises(ParseError, match="no advisory"):
        read_export(pack_export(), NOW)


@pytest.mark.parametrize(
    "location", ["/nonexistent/all.zip", "http://osv.example/all.zip", "https://localhost:1/all.zip"]
)
def test_a_source_that_cannot_be_read_is_an_error(location: str) -> None:
    with pytest.raises(MunimentError):
        fetch_export(location, NOW)


def test_a_folder_is_no_export(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        fetch_export(str(tmp_path), NOW)


def test_the_official_address_has_the_name_of_the_ecosystem() -> None:
    assert official_location(Ecosystem.GITHUB_ACTIONS).endswith("/GitHub%20Actions/all.zip")


def test_products_that_a_vulnerability_affects_are_found_with_the_path() -> None:
    index = AdvisoryIndex(
        [read_advisory("A-1", events=fixed_in("2.0"), aliases=["CVE-1"]), read_advisory("A-2", "jinja2")]
    )
    old = Dependency(Ecosystem.PYPI, "django", "1.0", path=("shop", "django"))
    new = Dependency(Ecosystem.PYPI, "django", "2.0")
    uncertain = Dependency(Ecosystem.PYPI, "jinja2", "3")
    locks = {
        "shop": [Lock("uv.lock", LockFormat.UV, (old, new))],
        "web": [Lock("a/uv.lock", LockFormat.UV, (old, uncertain)), Lock("b/uv.lock", LockFormat.UV, (new,))],
    }
    dependencies = DependencyIndex(locks)
    found = [
        (use.product, use.lock, use.dependency.path, sure) for use, sure in dependencies.find_affected(index, "cve-1")
    ]
    assert found == [("shop", "uv.lock", ("shop", "django"), True), ("web", "a/uv.lock", ("shop", "django"), True)]
    assert [(use.product, sure) for use, sure in dependencies.find_affected(index, "A-2")] == [("web", False)]
    assert dependencies.find_affected(index, "CVE-404") == ()
    assert len(list(dependencies.find_matches(index))) == 3
    assert len(dependencies.find_package(Ecosystem.PYPI, "django")) == 4


@pytest.mark.skipif(not SHARED.exists(), reason="the real export is not next to this checkout")
def test_every_advisory_of_a_real_export_is_read_and_has_a_due_date_or_a_reason() -> None:
    export = fetch_export(str(SHARED), NOW)
    assert len(export.advisories) == 2_661
    assert export.as_of[:10] == "2024-10-10"
    assert sum(bool(each.withdrawn) for each in export.advisories) == 10
    assert sum(not each.published for each in export.advisories) == 9
    index = AdvisoryIndex(export.advisories)
    for each in export.advisories:
        found = index.find_vulnerability(each.id)
        assert (found is None) == bool(each.withdrawn)
        rating = rate_severity(each, [])
        clock = compute_due_date(
            rating.severity,
            published=each.published,
            first_seen=NOW,
            introduced=DAYS[0],
            connected=DAYS[0],
            is_malware=each.is_malware,
            withdrawn=each.withdrawn,
        )
        assert isinstance(clock, DueDate) or clock is NoClock.WITHDRAWN
    assert index.match_version(Ecosystem.PYPI, "django", "4.2.0")
    names = {
        affected.name
        for each in export.advisories
        for affected in each.affected
        if affected.check_version("1.0") is Affected.UNDETERMINED
    }
    assert names == {"binderhub", "loguru", "steam"}  # events that are no versions, or no events at all


def test_origins_are_a_closed_set() -> None:
    assert {each.value for each in SeverityOrigin} == {"advisory", "alias", "vector", "assumed"}
