"""Reports of tests: what is whole is counted, what is not says nothing."""

from xml.etree.ElementTree import Element

import pytest

from muniment.errors import ReportError
from muniment.facts.pipeline import Counts
from muniment.pipelines import tests

PYTEST = b"""<?xml version="1.0" encoding="utf-8"?>
<testsuites name="pytest tests"><testsuite name="pytest" errors="0" failures="0" skipped="1" tests="3" time="0.1">
<testcase classname="tests.test_a" name="test_one" time="0.1" />
<testcase classname="tests.test_a" name="test_two[x]" time="0.1"><skipped type="pytest.skip" message="no">no</skipped>
</testcase><testcase classname="tests.test_b" name="test_one" time="0.1"><system-out>ok</system-out></testcase>
</testsuite></testsuites>"""


def read(*reports: bytes) -> Counts:
    return tests.read((f"{number}.xml", data) for number, data in enumerate(reports))


def suite(*cases: str, more: str = "") -> bytes:
    return f"<testsuite {more}>{''.join(cases)}</testsuite>".encode()


def test_what_ran_and_what_was_skipped_is_counted() -> None:
    assert read(PYTEST) == Counts(executed=2, failed=0, skipped=1)


def test_several_reports_are_counted_together() -> None:
    more = suite('<testcase name="a"/>', '<testcase name="b"><failure/></testcase>')
    assert read(PYTEST, more) == Counts(executed=4, failed=1, skipped=1)


@pytest.mark.parametrize(
    ("case", "counts"),
    [
        ('<testcase name="a"><error message="x"/></testcase>', Counts(1, 1, 0)),
        ('<testcase name="a"><failure/><skipped/></testcase>', Counts(1, 1, 0)),
        ('<testcase name="a"><system-err>failure</system-err></testcase>', Counts(1, 0, 0)),
        ('<testcase name="a" status="notrun" result="suppressed"/>', Counts(0, 0, 1)),
        ('<testcase name="a" status="disabled"/>', Counts(0, 0, 1)),
        ('<x:testcase xmlns:x="urn:x" name="a"><x:failure/></x:testcase>', Counts(1, 1, 0)),
        ('<testsuite tests="1"><testcase name="a"/></testsuite>', Counts(1, 0, 0)),
        ("", Counts(0, 0, 0)),
    ],
)
def test_each_way_in_which_a_test_ends(case: str, counts: Counts) -> None:
    assert read(suite(case)) == counts


def test_no_report_counts_no_test() -> None:
    assert read() == Counts(0, 0, 0)


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
def test_what_is_cut_off_or_contradicts_itself_says_nothing(data: bytes) -> None:
    with pytest.raises(ReportError) as caught:
        read(data)
    assert caught.value.remedy
    assert caught.value.exit_code == 2


def test_a_report_given_twice_says_nothing() -> None:
    with pytest.raises(ReportError, match="twice"):
        read(PYTEST, PYTEST)


def test_a_huge_report_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tests, "LARGEST", 100)
    with pytest.raises(ReportError, match="more than"):
        read(PYTEST)


def test_a_deep_report_breaks_nothing() -> None:
    deep = b"<testsuite>" * 2_000 + b'<testcase name="a"/>' + b"</testsuite>" * 2_000
    assert read(deep) == Counts(1, 0, 0)


def test_suites_that_lie_deep_in_each_other_are_counted_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, tag = [0], tests._tag

    def counting(element: Element) -> str:
        calls[0] += 1
        return tag(element)

    monkeypatch.setattr(tests, "_tag", counting)
    deep = 2_000
    assert read(b"<testsuite>" * deep + b'<testcase name="a"/>' + b"</testsuite>" * deep) == Counts(1, 0, 0)
    assert calls[0] < 10 * deep
