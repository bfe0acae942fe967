"""A report of tests is compared with the model, the routes and the commit; what differs is unknown."""

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from muniment.cli.design import command
from muniment.design.findings import DesignStatus, FindingCode, PrincipleResult
from muniment.design.model_file import read_design
from muniment.design.routes.route import Route, RouteList
from muniment.design.tested_report import read_test_report
from muniment.design.tested_results import ExpectedState, check_test_report
from muniment.errors import DesignError

TEXT = """
schema = 1
product = "shop"
owner = "security@example.org"
[[guard]]
id = "staff"
mechanisms = ["sign-in"]
asks = ["shop:allows"]
"""
MODEL = read_design(TEXT, "design.toml")
STATE = ExpectedState("a" * 64, "b" * 40)
FINDING = {"problem": "opened-on-failure", "subject": "guard staff", "detail": "d", "where": "a.py:1", "sentence": "s"}
GUARD = {
    "guard": "staff",
    "asks": ["shop:allows"],
    "status": "met",
    "faults": 9,
    "reached": 9,
    "findings": [],
    "unknown": [],
    "notes": [],
}
ROUTE = {
    "route": "/orders",
    "method": "GET",
    "handler": "shop.orders",
    "public": False,
    "status": "met",
    "outcomes": {"nobody": "refused"},
    "findings": [],
    "unknown": [],
}
SETTINGS = {"status": "met", "started": True, "routes": 1, "reason": "", "findings": [], "unknown": []}
REPORT: dict[str, Any] = {
    "schema": 1,
    "tool": "pytest-muniment 0.1.0",
    "product": "shop",
    "framework": "flask",
    "design_sha256": "a" * 64,
    "commit": "b" * 40,
    "clean": True,
    "finished_at": "2026-12-01T00:00:00+00:00",
    "guards": [GUARD],
    "routes": {"tested": 1, "total": 1, "unlisted": [], "results": [ROUTE]},
    "settings": SETTINGS,
}
ROUTES = RouteList("flask", (Route("/orders", ("GET",), "shop.orders", "shop.py:1"),))


def check(report: dict[str, Any], routes: RouteList = ROUTES) -> tuple[PrincipleResult, ...]:
    read = read_test_report(json.dumps(report).encode(), "report.json")
    return check_test_report(read, MODEL, [routes], STATE)


def list_codes(report: dict[str, Any], routes: RouteList = ROUTES) -> set[FindingCode]:
    return {finding.code for result in check(report, routes) for finding in result.findings}


def test_a_whole_report_without_findings_is_met() -> None:
    mediation, failure = check(REPORT)
    assert [mediation.status, failure.status] == [DesignStatus.MET, DesignStatus.MET]
    assert mediation.notes[0].text == "1 of 1 routes tested."


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"design_sha256": "c" * 64}, FindingCode.STALE_TESTS),
        ({"commit": "c" * 40}, FindingCode.STALE_TESTS),
        ({"commit": ""}, FindingCode.STALE_TESTS),
        ({"clean": False}, FindingCode.STALE_TESTS),
        ({"guards": []}, FindingCode.NOT_TESTED),
        ({"routes": None}, FindingCode.NOT_TESTED),
        ({"settings": None}, FindingCode.NOT_TESTED),
        ({"guards": [GUARD | {"reached": 0}]}, FindingCode.TEST_UNKNOWN),
        ({"guards": [GUARD | {"asks": []}]}, FindingCode.TEST_UNKNOWN),
        ({"guards": [GUARD | {"status": "unknown"}]}, FindingCode.TEST_UNKNOWN),
        ({"guards": [GUARD | {"status": "not_applicable"}]}, FindingCode.TEST_UNKNOWN),
        ({"guards": [GUARD | {"findings": [FINDING]}]}, FindingCode.TEST_VIOLATED),
        ({"settings": SETTINGS | {"unknown": ["no factory"]}}, FindingCode.TEST_UNKNOWN),
        ({"settings": SETTINGS | {"status": "unknown"}}, FindingCode.TEST_UNKNOWN),
        ({"settings": SETTINGS | {"findings": [FINDING]}}, FindingCode.TEST_VIOLATED),
    ],
)
def test_a_part_that_is_missing_stale_or_violated_is_found(change: dict[str, Any], code: FindingCode) -> None:
    assert code in list_codes(REPORT | change)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"status": "unknown"}, FindingCode.TEST_UNKNOWN),
        ({"unknown": ["customer: no path"]}, FindingCode.TEST_UNKNOWN),
        ({"findings": [FINDING]}, FindingCode.TEST_VIOLATED),
        ({"route": "/other"}, FindingCode.UNPARSED_ROUTE),
        ({"route": "/other"}, FindingCode.UNTESTED_ROUTE),
        ({"method": "POST"}, FindingCode.UNTESTED_ROUTE),
    ],
)
def test_each_route_counts(change: dict[str, Any], code: FindingCode) -> None:
    routes = REPORT["routes"] | {"results": [ROUTE | change]}
    assert code in list_codes(REPORT | {"routes": routes})


def test_an_unlisted_place_is_unknown() -> None:
    assert FindingCode.TEST_UNKNOWN in list_codes(REPORT | {"routes": REPORT["routes"] | {"unlisted": ["/feed"]}})


def test_a_route_for_all_methods_is_tested_by_those_that_the_application_has() -> None:
    routes = RouteList("django", (Route("/orders", ("*",), "shop.orders", "shop.py:1"),))
    assert list_codes(REPORT, routes) == set()


@pytest.mark.parametrize(
    "change",
    [{"schema": 2}, {"other": 1}, {"guards": None}, {"settings": {"status": "met"}}, {"design_sha256": "x"}],
)
def test_a_report_of_another_form_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(DesignError, match="another form"):
        read_test_report(json.dumps(REPORT | change).encode(), "report.json")


def test_the_command_evaluates_a_report(tmp_path: Path) -> None:
    (tmp_path / "design.toml").write_text(TEXT)
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "begin"]):
        identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *words], check=True, capture_output=True)
    head = subprocess.run(["git", "-C", str(tmp_path), "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    digest = hashlib.sha256(TEXT.encode()).hexdigest()
    report = REPORT | {"commit": head.stdout.strip(), "design_sha256": digest}
    path = tmp_path / "report.json"
    path.write_bytes(msgspec.json.encode(report))
    arguments = ["check", "--repo", str(tmp_path), "--tested", str(path), "--format", "json"]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False, standalone_mode=False)
    results = [each for each in json.loads(done.output) if each["evidence"] == ["tested"]]
    assert [each["principle"] for each in results] == ["complete-mediation", "secure-failure"]
    assert [finding["code"] for finding in results[0]["findings"]] == ["unparsed_route"]
    assert results[1]["status"] == "met"
