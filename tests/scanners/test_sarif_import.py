"""Import of other tools' SARIF: what four tools write is read, and what cannot be read whole is an error."""

import json
from collections.abc import Callable, Mapping

import pytest

from muniment.scanners.findings import Severity
from muniment.scanners.imports.document import MOST_RESULTS, SarifError
from muniment.scanners.imports.sarif_import import ImportedRun, RunEnd, parse_import
from muniment.scanners.sarif import build_sarif
from tests.scanners.sarif_files import Object, codeql, place, semgrep, trivy, write, zap
from tests.scanners.scanning import scan

KEY = b"k"


def read(run: object) -> ImportedRun:
    (found,) = parse_import(write(run), KEY).runs
    return found


def test_codeql_has_its_rules_in_an_extension_and_lists_files() -> None:
    run = read(codeql())
    (finding,) = run.findings
    assert (run.tool, run.version, run.end) == ("CodeQL", "2.19.3", RunEnd.UNKNOWN)
    assert run.listed == ("src/orders.js", "src/pages/index.js")
    assert (finding.rule, finding.severity, finding.is_severity_assumed) == ("js/sql-injection", Severity.HIGH, False)
    assert (finding.cwe, finding.place, finding.line) == ((89, 943), "src/orders.js", 14)


def test_semgrep_findings_differ_although_their_fingerprints_are_the_same() -> None:
    run = read(semgrep())
    first, second = run.findings
    assert (run.listed, run.end) == ((), RunEnd.WELL)
    assert first.fingerprint != second.fingerprint
    assert (first.cwe, first.severity) == ((78,), Severity.HIGH)
    assert (first.is_suppressed, second.is_suppressed) == (False, True)


def test_trivy_score_of_zero_is_no_severity_and_high() -> None:
    first, second = read(trivy()).findings
    assert (first.severity, first.is_severity_assumed) == (Severity.CRITICAL, False)
    assert (second.severity, second.is_severity_assumed) == (Severity.HIGH, True)
    assert first.place == "web/package-lock.json"


def test_zap_places_are_addresses_without_what_may_be_secret() -> None:
    (finding,) = read(zap()).findings
    assert finding.place == "https://staging.shop.example/orders"
    assert (finding.cwe, finding.severity) == ((693,), Severity.MEDIUM)


def test_our_own_file_counts_for_what_was_scanned_and_names_what_was_not() -> None:
    result = scan(a="x = (", b="import hashlib\nhashlib.md5(b'')\n")
    run = read(build_sarif([result], "1.0")["runs"][0])  # type: ignore[index]
    assert (run.listed, run.failed, run.end) == (("b.py",), ("a.py",), RunEnd.PARTLY)
    assert [(one.rule, one.cwe, one.place) for one in run.findings] == [("weak-hash", (328,), "b.py")]


def test_a_fingerprint_survives_moved_lines_and_tells_repetitions_apart() -> None:
    moved = semgrep()
    for number, result in enumerate(moved["results"]):  # type: ignore[arg-type, var-annotated]
        result["locations"][0]["physicalLocation"]["region"]["startLine"] = 70 + number
    before, after = read(semgrep()).findings, read(moved).findings
    assert [one.fingerprint for one in before] == [one.fingerprint for one in after]
    moved["results"] = [moved["results"][0]] * 3  # type: ignore[index]
    assert len({one.fingerprint for one in read(moved).findings}) == 3
    changed = codeql()
    changed["results"][0]["partialFingerprints"]["primaryLocationStartColumnFingerprint"] = "9"  # type: ignore[index]
    assert read(changed).findings[0].fingerprint == read(codeql()).findings[0].fingerprint


def test_a_fingerprint_of_code_depends_on_the_key() -> None:
    (other,) = parse_import(write(semgrep()), b"another").runs
    assert other.findings[0].fingerprint != read(semgrep()).findings[0].fingerprint


@pytest.mark.parametrize(
    ("more", "severity", "is_assumed"),
    [
        ({"level": "note"}, Severity.LOW, False),
        ({"level": "none"}, Severity.HIGH, True),
        ({"properties": {"security-severity": "3.9"}}, Severity.LOW, False),
        ({"properties": {"security-severity": 9}}, Severity.CRITICAL, False),
        ({"properties": {"severity": "CRITICAL"}}, Severity.CRITICAL, False),
        ({"properties": {"severity": "style"}}, Severity.HIGH, True),
        ({}, Severity.HIGH, True),
    ],
)
def test_the_severity_is_the_tools_or_high_and_marked(more: Object, severity: Severity, is_assumed: bool) -> None:
    (finding,) = read(make_run({"ruleId": "x", **more})).findings
    assert (finding.severity, finding.is_severity_assumed) == (severity, is_assumed)


def make_run(*results: Mapping[str, object], **more: object) -> Object:
    return {"tool": {"driver": {"name": "T", "rules": []}}, "results": list(results), **more}


def test_results_that_are_no_findings_are_left_out_and_texts_come_from_rules() -> None:
    run = make_run(
        *({"ruleId": "x", "kind": kind} for kind in ("pass", "notApplicable", "informational")),
        {"ruleId": "x", "baselineState": "absent"},
        {"ruleId": "x/part", "kind": "review", "message": {"id": "m", "arguments": ["a\x1b", "b"]}},
    )
    run["tool"] = {"driver": {"name": "T", "rules": [{"id": "x", "messageStrings": {"m": {"text": "{1} of {0} {7}"}}}]}}
    (finding,) = read(run).findings
    assert finding.message == "b of a\N{REPLACEMENT CHARACTER} {7}"


def test_bases_of_places_are_followed() -> None:
    bases = {"TOP": {"uri": "file:///home/ci/shop/"}, "WEB": {"uri": "web/", "uriBaseId": "TOP"}}
    for uri, base, expected in (
        ("src/a.js", "WEB", "web/src/a.js"),
        ("./src/../b.js", "TOP", "b.js"),
        ("file:///home/ci/shop/c%20d.js", None, "c d.js"),
        ("na%C3%AFve.js?x#y", "ELSEWHERE", "naïve.js"),
    ):
        where = {"physicalLocation": {"artifactLocation": {"uri": uri, "uriBaseId": base} if base else {"uri": uri}}}
        run = make_run({"ruleId": "x", "locations": [where]}, originalUriBaseIds=bases)
        assert read(run).findings[0].place == expected


def with_uri(uri: str) -> Object:
    return make_run({"ruleId": "x", "locations": [place(uri, 1)]})


HOSTILE: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "no json": lambda: b"<sarif/>",
    "cut off": lambda: write(codeql())[:-40],
    "no utf-8": lambda: write(make_run({"ruleId": "x"})).replace(b'"x"', b'"\xff"'),
    "list": lambda: b"[]",
    "other version": lambda: write(codeql(), version="2.0.0"),
    "no runs": lambda: write(),
    "runs of a wrong type": lambda: b'{"version": "2.1.0", "runs": {}}',
    "no results": lambda: write({"tool": {"driver": {"name": "T"}}}),
    "null results": lambda: write({"tool": {"driver": {"name": "T"}}, "results": None}),
    "results elsewhere": lambda: write(make_run(externalPropertyFileReferences={"results": [{}]})),
    "no tool": lambda: write({"results": []}),
    "result of a wrong type": lambda: write(make_run({"ruleId": 7})),
    "level of a wrong type": lambda: write(make_run({"ruleId": "x", "level": 7})),
    "unknown level": lambda: write(make_run({"ruleId": "x", "level": "fatal"})),
    "unknown kind": lambda: write(make_run({"ruleId": "x", "kind": "passed"})),
    "score of words": lambda: write(make_run({"ruleId": "x", "properties": {"security-severity": "low"}})),
    "score too high": lambda: write(make_run({"ruleId": "x", "properties": {"security-severity": "11"}})),
    "score that is no number": lambda: write(make_run({"ruleId": "x", "properties": {"security-severity": "nan"}})),
    "no rule": lambda: write(make_run({"message": {"text": "x"}})),
    "missing rule": lambda: write(make_run({"ruleIndex": 0})),
    "negative rule": lambda: write(make_run({"ruleId": "x", "ruleIndex": -2})),
    "missing extension": lambda: write(make_run({"rule": {"index": 0, "toolComponent": {"index": 3}}})),
    "missing artifact": lambda: write(
        make_run({"ruleId": "x", "locations": [{"physicalLocation": {"artifactLocation": {"index": 4}}}]})
    ),
    "line zero": lambda: write(make_run({"ruleId": "x", "locations": [place("a", 0)]})),
    "line too large": lambda: write(make_run({"ruleId": "x", "locations": [place("a", 1 << 40)]})),
    "parent": lambda: write(with_uri("../etc/passwd")),
    "hidden parent": lambda: write(with_uri("a/%2e%2e/%2e%2e/x")),
    "absolute": lambda: write(with_uri("/etc/passwd")),
    "absolute uri": lambda: write(with_uri("file:///etc/passwd")),
    "other host": lambda: write(with_uri("//host/share/a")),
    "other scheme": lambda: write(with_uri("javascript:alert(1)")),
    "backslash": lambda: write(with_uri("a%5c..%5cb")),
    "null byte": lambda: write(with_uri("a%00b")),
    "no path": lambda: write(with_uri("#top")),
    "no uri": lambda: write(with_uri("http://[x")),
    "long place": lambda: write(with_uri("a/" * 3000)),
    "bases in a circle": lambda: write(
        make_run(
            {"ruleId": "x", "locations": [place("a", 1)]},
            originalUriBaseIds={"%SRCROOT%": {"uri": "x/", "uriBaseId": "%SRCROOT%"}},
        )
    ),
    "deep": lambda: b'{"version": "2.1.0", "runs": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
    "deep properties": lambda: write(make_run()).replace(b"[]", b'[], "properties": ' + b'{"a":' * 200_000, 1),
    "too many results": lambda: write(make_run(*({"ruleId": "x"},) * (MOST_RESULTS + 1))),
    "huge": lambda: write(make_run()) + b" " * 64_000_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_cannot_be_read_whole_is_an_error_and_never_no_findings(name: str) -> None:
    with pytest.raises(SarifError) as caught:
        parse_import(HOSTILE[name](), KEY)
    assert caught.value.message
    assert caught.value.remedy
    assert len(caught.value.message) < 300


def test_a_byte_order_mark_and_unknown_members_are_no_error() -> None:
    content = json.dumps({"version": "2.1.0", "runs": [make_run(later={"x": [1]})], "more": None}).encode()
    assert parse_import(b"\xef\xbb\xbf" + content, KEY).runs[0].findings == ()
