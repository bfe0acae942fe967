"""Tests of a design. A test module of the project takes them: `from pytest_muniment.design_tests import *`."""

import pytest

from pytest_muniment.design_file import DesignGuard
from pytest_muniment.plugin import DesignRun

__all__ = ["test_application_refuses_with_empty_settings", "test_guard_denies_when_it_fails", "test_routes_need_rights"]


def test_guard_denies_when_it_fails(muniment_run: DesignRun, muniment_guard: DesignGuard) -> None:
    """Each thing that the guard asks fails, then the guard itself: the request is denied."""
    result = muniment_run.test_guard(muniment_guard)
    _require_nothing([finding.sentence for finding in result.findings], list(result.unknown))


def test_routes_need_rights(muniment_run: DesignRun) -> None:
    """No route runs its handler without rights, and no owner reaches another's object."""
    results = muniment_run.test_routes()
    findings = [finding.sentence for result in results for finding in result.findings]
    unknown = [f"{result.method} {result.pattern}: {why}" for result in results for why in result.unknown]
    unknown += list(muniment_run.app.routes.unlisted)
    if not results:
        unknown.append("the application has no routes")
    _require_nothing(findings, unknown)


def test_application_refuses_with_empty_settings(muniment_run: DesignRun) -> None:
    """Without settings every route but the health check refuses, or the application does not start."""
    result = muniment_run.test_settings()
    _require_nothing([finding.sentence for finding in result.findings], list(result.unknown))


def _require_nothing(findings: list[str], unknown: list[str]) -> None:
    __tracebackhide__ = True
    lines = [f"violated: {finding}" for finding in findings] + [f"unknown: {why}" for why in unknown]
    if lines:
        pytest.fail("\n".join(lines), pytrace=False)
