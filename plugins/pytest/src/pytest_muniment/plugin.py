"""Options and fixtures of pytest. `from pytest_muniment.design_tests import *` in a test module adds the tests."""

import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import pytest

from pytest_muniment.baselines import BaselineCalls
from pytest_muniment.calls import AppUnderTest
from pytest_muniment.default_tests import SettingsResult, run_with_empty_settings
from pytest_muniment.design_file import Design, DesignFileError, DesignGuard, read_design_file
from pytest_muniment.findings import GuardResult, RouteResult
from pytest_muniment.frameworks import list_app_routes, load_application
from pytest_muniment.guard_tests import GuardTester
from pytest_muniment.project import Project
from pytest_muniment.report import build_report, write_report
from pytest_muniment.route_tests import RouteTester

_run_key = pytest.StashKey["DesignRun"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the command line."""
    group = parser.getgroup("muniment", "tests of a design")
    group.addoption("--muniment-design", metavar="FILE", help="design.toml of the product. Default: that in rootdir.")
    group.addoption("--muniment-report", metavar="FILE", help="Write all results to FILE as JSON.")
    group.addoption(
        "--muniment-hang",
        metavar="SECONDS",
        type=float,
        default=3.0,
        help="Length of an injected hang: longer than any guard waits. Default: 3.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """A report of one of several workers would have a part of the results only."""
    if config.getoption("muniment_report") and hasattr(config, "workerinput"):
        raise pytest.UsageError("--muniment-report needs all tests in one process: leave -n out")


class DesignRun:
    """All tests of one session, with what they share."""

    def __init__(self, config: pytest.Config, project: Project) -> None:
        self._config = config
        self.project = project
        self.guards: list[GuardResult] = []
        self.routes: list[RouteResult] | None = None
        self.settings: SettingsResult | None = None
        self.design = get_design(config)

    @cached_property
    def app(self) -> AppUnderTest:
        """Application with its routes, sample objects and identities."""
        root = str(self.design.application.root.resolve())
        if root not in sys.path:
            sys.path.insert(0, root)
        loaded = self.project.application
        if loaded is None:
            loaded = load_application(self.design.application)
        routes = list_app_routes(self.design.application.framework, loaded)
        app = AppUnderTest(self.design, self.project, loaded, routes)
        app.prepare()
        return app

    @cached_property
    def baselines(self) -> BaselineCalls:
        """Calls without a fault."""
        return BaselineCalls(self.app)

    def test_guard(self, guard: DesignGuard) -> GuardResult:
        """Inject faults into one guard."""
        result = GuardTester(self.baselines, self._config.getoption("muniment_hang")).test_guard(guard)
        self.guards.append(result)
        return result

    def test_routes(self) -> list[RouteResult]:
        """Call each route by each identity."""
        self.routes = RouteTester(self.baselines).test_routes()
        return self.routes

    def test_settings(self) -> SettingsResult:
        """Start the application with empty settings."""
        self.settings = run_with_empty_settings(self.design, tuple(self.project.health))
        return self.settings

    def write(self, path: Path) -> None:
        """Write the report."""
        unlisted = self.app.routes.unlisted if self.routes is not None else ()
        folder = _design_path(self._config).parent
        report = build_report(self.design, folder, self.guards, self.routes, unlisted, self.settings)
        write_report(path, report)


def _design_path(config: pytest.Config) -> Path:
    return Path(config.getoption("muniment_design") or config.rootpath / "design.toml").resolve()


def get_design(config: pytest.Config) -> Design:
    """Design of the session. Raises pytest.UsageError."""
    try:
        return read_design_file(_design_path(config))
    except DesignFileError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each guard of the design."""
    if "muniment_guard" in metafunc.fixturenames:
        guards = get_design(metafunc.config).guards
        metafunc.parametrize("muniment_guard", guards, ids=[guard.id for guard in guards])


@pytest.fixture(scope="session")
def muniment_project() -> Project:
    """Application under test. Override it in conftest.py to give data, sign-in and requests."""
    return Project()


@pytest.fixture(scope="session")
def muniment_run(request: pytest.FixtureRequest, muniment_project: Project) -> Iterator[DesignRun]:
    """All tests of the session. The report is written at its end."""
    run = DesignRun(request.config, muniment_project)
    request.config.stash[_run_key] = run
    yield run
    path = request.config.getoption("muniment_report")
    if path:
        run.write(Path(path))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how much was tested."""
    run = config.stash.get(_run_key, None)
    if run is None:
        return
    terminalreporter.section("Design")
    if run.guards:
        met = sum(result.status == "met" for result in run.guards)
        terminalreporter.line(f"guards: {met} of {len(run.design.guards)} deny when they fail")
    if run.routes is not None:
        tested = sum(result.status != "unknown" for result in run.routes)
        terminalreporter.line(f"routes: {tested} of {len(run.routes)} tested")
    if config.getoption("muniment_report"):
        terminalreporter.line(f"report: {config.getoption('muniment_report')}")
