"""Test reports: complete reports are counted, and other reports are unknown."""

from xml.etree.ElementTree import Element

import pytest

from muniment.errors import ReportError
from muniment.facts.pipeline import RunCounts
from muniment.pipelines import test_reports

PYTEST = b"""<?xml version="1.0" encoding="utf-8"?>
<testsuites name="pytest tests"><testsuite name="pytest" errors="0" failures="0" skipped="1" tests="3" time="0.1">
<testcase classname="tests.test_a" name="test_one" time="0.1" />
<testcase classname="tests.test_a" name="test_two[x]" time="0.1"><skipped type="pytest.skip" message="no">no</skipped>
</testcase><testcase classname="tests.test_b" name="test_one" time="0.1"><system-out>ok</system-out></testcase>
</testsuite></testsuites>"""


def read(*reports: bytes) -> RunCounts:
    return test_reports.read_test_reports((f"{number}.xml", data) for number, data in enumerate(reports))


def suite(*cases: str, more: str = "") -> bytes:
    return f"<testsuite {more}>{''.join(cases)}</testsuite>".encode()


def test_counts_executed_and_skipped_tests() -> None:
    assert read(PYTEST) == RunCounts(executed=2, failed=0, skipped=1)


def test_several_reports_are_counted_together() -> None:
    more = suite('<testcase name="a"/>', '<testcase name="b"><failure/></testcase>')
    assert read(PYTEST, more) == RunCounts(executed=4, failed=1, skipped=1)


@pytest.mark.parametrize(
    ("case", "counts"),
    [
        ('<testcase name="a"><error message="x"/></testcase>', RunCounts(1, 1, 0)),
        ('<testcase name="a"><failure/><skipped/></testcase>', RunCounts(1, 1, 0)),
        ('<testcase name="a"><system-err>failure</system-err></testcase>', RunCounts(1, 0, 0)),
        ('<testcase name="a" status="notrun" result="suppressed"/>', RunCounts(0, 0, 1)),
        ('<testcase name="a" status="disabled"/>', RunCounts(0, 0, 1)),
        ('<x:testcase xmlns:x="urn:x" name="a"><x:failure/></x:testcase>', RunCounts(1, 1, 0)),
        ('<testsuite tests="1"><testcase name="a"/></testsuite>', RunCounts(1, 0, 0)),
        ("", RunCounts(0, 0, 0)),
    ],
)
def test_counts_each_test_outcome(case: str, counts: RunCounts) -> None:
    assert read(suite(case)) == counts


def test_missing_report_counts_no_test() -> None:
    assert read() == RunCounts(0, 0, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"all tests passed",
        PYTEST[:-20],
        PYTEST.replace(b"</testsuites>", b""),
        b"<html/>",
        b"\xff\xfe<",
        b'<?xml version="1.0" encoding="no-such"?><testsuite/>',
        suite('<testcase name="a"/>', more='tests="2"'),
        suite('<testcase name="a"/>', '<testcase name="b"/>', more='tests="1"'),
        suite('<testcase name="a"/>', more='tests="many"'),
        suite('<testcase name="a"/>', more='tests="-1"'),
        suite('<testcase name="a"/>', more='failures="1"'),
        suite('<testcase name="a"/>', more='errors="1"'),
        suite('<testsuite tests="2"><testcase name="a"/></testsuite>', more='tests="1"'),
        suite('<testcase name="a"/>', '<testcase name="a"/>'),
        suite('<testcase classname="x"/>'),
        b'<!DOCTYPE a [<!ENTITY b "c">]><testsuite name="&b;"/>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><testsuite/>',
    ],
)
def test_truncated_or_contradicting_report_is_unknown(data: bytes) -> None:
    with pytest.raises(ReportError) as caught:
        read(data)
    assert caught.value.remedy
    assert caught.value.exit_code == 2


def test_duplicate_report_is_unknown() -> None:
    with pytest.raises(ReportError, match="twice"):
        read(PYTEST, PYTEST)


def test_refuses_huge_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_reports, "LARGEST_REPORT", 100)
    with pytest.raises(ReportError, match="more than"):
        read(PYTEST)


def test_deeply_nested_report_is_handled() -> None:
    deep = b"<testsuite>" * 2_000 + b'<testcase name="a"/>' + b"</testsuite>" * 2_000
    assert read(deep) == RunCounts(1, 0, 0)


def test_nested_suites_are_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, tag = [0], test_reports._local_name

    def counting(element: Element) -> str:
        calls[0] += 1
        return tag(element)

    monkeypatch.setattr(test_reports, "_local_name", counting)
    deep = 2_000
    assert read(b"<testsuite>" * deep + b'<testcase name="a"/>' + b"</testsuite>" * deep) == RunCounts(1, 0, 0)
    assert calls[0] < 10 * deep
