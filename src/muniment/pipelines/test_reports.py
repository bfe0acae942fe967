"""Test reports: how many tests ran and failed. A report that is cut off or contradicts itself is refused.

The form is JUnit XML, as test runners of most languages write it: testsuites > testsuite > testcase, with `failure`,
`error` or `skipped` in a test that did not pass.
"""

from collections.abc import Iterable, Iterator
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from msgspec import Struct

from muniment.errors import ReportError
from muniment.facts.pipeline import RunCounts

LARGEST_REPORT = 32 << 20  # bytes of all reports
_BAD = ("failure", "error")
_NOT_RUN = ("notrun", "disabled", "skipped", "suppressed")  # of googletest and its kin: in attributes


class _Test(Struct, frozen=True):
    """Test by all that tells it from others, and its result."""

    name: tuple[str, ...]
    failed: bool
    skipped: bool


def read_test_reports(reports: Iterable[tuple[str, bytes]]) -> RunCounts:
    """Count the tests in all the reports (name, content).

    Raises ReportError for one that is malformed, too large, or says other numbers than it lists, and for a test that is
    listed twice: counting it twice would hide that another is missing.
    """
    found: dict[tuple[str, ...], _Test] = {}
    left = LARGEST_REPORT
    for where, data in reports:
        left -= len(data)
        if left < 0:
            raise _report_error(where, f"all reports together have more than {LARGEST_REPORT >> 20} MiB")
        for test in _list_tests(where, data):
            if test.name in found:
                raise _report_error(where, f"the test {'.'.join(filter(None, test.name))[:200]} is listed twice")
            found[test.name] = test
    return RunCounts(
        executed=sum(not test.skipped for test in found.values()),
        failed=sum(test.failed for test in found.values()),
        skipped=sum(test.skipped for test in found.values()),
    )


def _list_tests(where: str, data: bytes) -> Iterator[_Test]:
    try:
        root = fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise _report_error(where, f"it is not well-formed XML, or was cut off ({type(error).__name__})") from error
    if _local_name(root) not in ("testsuites", "testsuite"):
        raise _report_error(where, f"it is no JUnit report: it begins with <{_local_name(root)[:40]}>")
    _check_suites(where, root)
    for case in root.iter():
        if _local_name(case) == "testcase":
            yield _read_test(where, case)


def _check_suites(where: str, root: Element) -> None:
    """Raise ReportError for a suite that says other numbers than it lists; in linear time, however deep they lie."""
    elements: list[tuple[Element, int]] = []  # each after the one that it lies in, with the place of that
    left = [(root, -1)]
    while left:
        element, outer = left.pop()
        left.extend((child, len(elements)) for child in element)
        elements.append((element, outer))
    tests, bad = [0] * len(elements), [0] * len(elements)
    for place in range(len(elements) - 1, -1, -1):
        element, outer = elements[place]
        if _local_name(element) == "testcase":
            tests[place] += 1
            bad[place] += any(_local_name(child) in _BAD for child in element)
        elif _local_name(element) in ("testsuites", "testsuite"):
            _require_agreement(where, element, tests[place], bad[place])
        if place:
            tests[outer] += tests[place]
            bad[outer] += bad[place]


def _require_agreement(where: str, suite: Element, tests: int, bad: int) -> None:
    """Raise ReportError unless the numbers that a suite gives for itself are those that it lists."""
    stated = {name: _get_number(where, suite, name) for name in ("tests", "failures", "errors")}
    if stated["tests"] not in (None, tests):
        raise _report_error(where, f"it says {stated['tests']} tests and lists {tests}")
    if (stated["failures"] or 0) + (stated["errors"] or 0) > 0 and not bad:
        raise _report_error(where, "it reports a failure, and lists no failed test")


def _read_test(where: str, case: Element) -> _Test:
    name = tuple(case.get(part, "").strip() for part in ("file", "classname", "name"))
    if not name[2]:
        raise _report_error(where, "a test has no name")
    children = {_local_name(child) for child in case}
    failed = any(tag in children for tag in _BAD)
    not_run = "skipped" in children or any(case.get(part, "").lower() in _NOT_RUN for part in ("status", "result"))
    return _Test(name, failed, skipped=not_run and not failed)


def _get_number(where: str, suite: Element, name: str) -> int | None:
    text = suite.get(name)
    if text is None:
        return None
    if not text.strip().isdecimal() or len(text) > 9:
        raise _report_error(where, f"{name} is not a number")
    return int(text)


def _local_name(element: Element) -> str:
    """Name without its namespace."""
    return element.tag.rpartition("}")[2]


def _report_error(where: str, problem: str) -> ReportError:
    return ReportError(f"{where}: {problem}", "Run the tests again, to their end, and submit each report once.")
