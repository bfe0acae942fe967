"""Results of complete mediation and secure failure from a report of tests, compared with the model and the routes.

A route in one list and not in the other is unknown, and so is a report of another design or commit.
"""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from muniment.design.findings import (
    DesignFinding,
    DesignNote,
    DesignStatus,
    Evidence,
    FindingCode,
    Principle,
    PrincipleResult,
    combine_findings,
)
from muniment.design.model import DesignModel
from muniment.design.routes.route import Route, RouteList
from muniment.design.tested_report import DesignTestReport, ReportedFinding, ReportedRoute, ReportedSettings

_ALL_METHODS = "*"


class ExpectedState(Struct, frozen=True):
    """State that a report must be about: digest of design.toml, and the commit, "" if it is not known."""

    design_sha256: str
    commit: str


def check_test_report(
    report: DesignTestReport, model: DesignModel, lists: Sequence[RouteList], state: ExpectedState
) -> tuple[PrincipleResult, ...]:
    """Results of both principles that tests can show."""
    stale = tuple(_find_stale(report, state))
    return (_check_mediation(report, lists, stale), _check_failure(report, model, stale))


def _find_stale(report: DesignTestReport, state: ExpectedState) -> Iterator[DesignFinding]:
    if report.design_sha256 != state.design_sha256:
        yield DesignFinding(FindingCode.STALE_TESTS, "design.toml")
    if not report.commit or not report.clean:
        yield DesignFinding(FindingCode.STALE_TESTS, "commit", "the tested files are not those of a commit")
    elif report.commit != state.commit:
        yield DesignFinding(FindingCode.STALE_TESTS, "commit", f"they tested {report.commit[:12]}")


def _check_mediation(
    report: DesignTestReport, lists: Sequence[RouteList], stale: tuple[DesignFinding, ...]
) -> PrincipleResult:
    findings = list(stale)
    evidence = (Evidence.TESTED,)
    if report.routes is None:
        findings.append(DesignFinding(FindingCode.NOT_TESTED, "routes"))
        return combine_findings(Principle.COMPLETE_MEDIATION, evidence, tuple(findings))
    results = report.routes.results
    for each in results:
        name = f"{each.method} {each.route}"
        findings += _convert_findings(each.findings)
        findings += [DesignFinding(FindingCode.TEST_UNKNOWN, name, why) for why in each.unknown]
        if each.status is not DesignStatus.MET and not each.findings and not each.unknown:
            findings.append(DesignFinding(FindingCode.TEST_UNKNOWN, name, "the report gives no reason"))
    findings += [DesignFinding(FindingCode.TEST_UNKNOWN, "routes", where) for where in report.routes.unlisted]
    findings += compare_route_lists(lists, results)
    tested = sum(each.status in (DesignStatus.MET, DesignStatus.VIOLATED) for each in results)
    notes = (DesignNote("routes", f"{tested} of {len(results)} routes tested."),)
    return combine_findings(Principle.COMPLETE_MEDIATION, evidence, tuple(findings), notes, examined=tested)


def compare_route_lists(lists: Iterable[RouteList], tested: Sequence[ReportedRoute]) -> Iterator[DesignFinding]:
    """Routes that only parsing or only the running application has."""
    parsed = [(method, route) for found in lists for route in found.routes for method in route.methods]
    called = {(each.method, each.route) for each in tested}
    patterns = {pattern for _, pattern in called}
    for method, route in parsed:
        if (method, route.pattern) not in called and not (method == _ALL_METHODS and route.pattern in patterns):
            name = f"{method} {route.pattern}"
            yield DesignFinding(FindingCode.UNTESTED_ROUTE, name, _describe_switch(route), where=route.where)
    known = {(method, route.pattern) for method, route in parsed}
    for each in tested:
        if not {(each.method, each.route), (_ALL_METHODS, each.route)} & known:
            yield DesignFinding(FindingCode.UNPARSED_ROUTE, f"{each.method} {each.route}", each.handler)


def _describe_switch(route: Route) -> str:
    return f"it exists if {route.switch}" if route.switch else "the running application does not have it"


def _check_failure(report: DesignTestReport, model: DesignModel, stale: tuple[DesignFinding, ...]) -> PrincipleResult:
    findings = list(stale)
    tested = {each.guard: each for each in report.guards}
    for guard in model.guards:
        result = tested.get(guard.id)
        if result is None:
            findings.append(DesignFinding(FindingCode.NOT_TESTED, f"guard {guard.id}"))
            continue
        name = f"guard {guard.id}"
        findings += _convert_findings(result.findings)
        findings += [DesignFinding(FindingCode.TEST_UNKNOWN, name, why) for why in result.unknown]
        if result.status is not DesignStatus.MET and not result.findings and not result.unknown:
            findings.append(DesignFinding(FindingCode.TEST_UNKNOWN, name, "no fault reached it"))
        elif result.status is DesignStatus.MET and (not result.reached or result.asks != guard.asks):
            findings.append(DesignFinding(FindingCode.TEST_UNKNOWN, name, "the report is of another guard"))
    findings += _check_settings(report.settings)
    reached = sum(bool(each.reached) for each in report.guards)
    faults = sum(each.reached for each in report.guards)
    notes = (DesignNote("guards", f"{faults} faults reached {reached} of {len(model.guards)} guards."),)
    return combine_findings(
        Principle.SECURE_FAILURE, (Evidence.TESTED,), tuple(dict.fromkeys(findings)), notes, examined=reached
    )


def _check_settings(settings: ReportedSettings | None) -> Iterator[DesignFinding]:
    name = "empty settings"
    if settings is None:
        yield DesignFinding(FindingCode.NOT_TESTED, name)
        return
    yield from _convert_findings(settings.findings)
    yield from (DesignFinding(FindingCode.TEST_UNKNOWN, name, why) for why in settings.unknown)
    if settings.status is not DesignStatus.MET and not settings.findings and not settings.unknown:
        yield DesignFinding(FindingCode.TEST_UNKNOWN, name, "the report gives no reason")


def _convert_findings(found: Iterable[ReportedFinding]) -> Iterator[DesignFinding]:
    for each in found:
        yield DesignFinding(FindingCode.TEST_VIOLATED, each.subject, each.sentence, where=each.where)
