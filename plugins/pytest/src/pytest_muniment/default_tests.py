"""Starts the application with empty settings in a new process: every route but the health check must refuse.

The environment and the working directory are empty. A handler that begins is stopped before its first line: nothing
that it would do with default settings happens.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_muniment.calls import AppUnderTest, Call, list_methods, name_function
from pytest_muniment.design_file import Design, DesignApplication
from pytest_muniment.findings import Problem, TestFinding, TestStatus
from pytest_muniment.frameworks import list_app_routes, load_application
from pytest_muniment.project import Project

START_SECONDS = 120.0
_KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL")


@dataclass(frozen=True)
class SettingsResult:
    """Result of the start with empty settings. `reason`: why the application did not start, which is a refusal."""

    started: bool
    routes: int
    reason: str = ""
    findings: tuple[TestFinding, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def status(self) -> TestStatus:
        """Met if the application does not start, or refuses everywhere."""
        if self.findings:
            return TestStatus.VIOLATED
        return TestStatus.UNKNOWN if self.unknown else TestStatus.MET


class _HandlerReached(BaseException):
    """A handler would have begun. Code that catches every Exception does not hide it."""


def run_with_empty_settings(design: Design, health: tuple[str, ...]) -> SettingsResult:
    """Start the application in a process without settings, and call each route without rights."""
    application = design.application
    if not application.factory:
        return SettingsResult(False, 0, unknown=('the design names no factory: add factory = "module:function"',))
    with tempfile.TemporaryDirectory() as empty:
        environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        paths = [str(application.root.resolve()), *(path for path in sys.path if path)]
        environment |= {"PYTHONPATH": os.pathsep.join(paths), "HOME": empty, "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-m", "pytest_muniment.default_tests", application.framework, application.factory]
        try:
            done = subprocess.run(
                command, env=environment, cwd=empty, capture_output=True, timeout=START_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return SettingsResult(False, 0, unknown=(f"the start took more than {START_SECONDS:g} seconds",))
    try:
        found = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        text = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no output"]
        return SettingsResult(False, 0, unknown=(f"the process ended with {done.returncode}: {text[-1]}",))
    findings = tuple(
        TestFinding(Problem.EMPTY_SETTINGS, each["route"], f"handler {each['handler']}", each["where"])
        for each in found["begun"]
        if each["pattern"] not in health
    )
    return SettingsResult(found["started"], found["routes"], found["reason"], findings, tuple(found["unknown"]))


def examine_empty_application(framework: str, factory: str) -> dict[str, Any]:
    """Start the application in this process, and list the routes whose handler begins."""
    application = DesignApplication(framework, Path(), factory)
    try:
        loaded = load_application(application)
        routes = list_app_routes(framework, loaded)
    except Exception as error:  # noqa: BLE001 -- an application that does not start refuses everything
        return {"started": False, "routes": 0, "reason": f"{type(error).__name__}: {error}", "begun": [], "unknown": []}
    design = Design("", "", application, (), (), (), frozenset())
    app = AppUnderTest(design, Project(), loaded, routes)
    client = app.make_client()
    reached: list[str] = []
    begun: list[dict[str, str]] = []
    unknown = list(routes.unlisted)

    with ExitStack() as stack:
        for _, handler in app.handlers:
            stack.enter_context(handler.replaced(_make_stop(handler.name, reached)))
        for route in routes.routes:
            for method in list_methods(route):
                call = Call(route, method)
                request = app.build_request(call)
                functions = route.list_functions(method)
                if request is None or not functions:
                    unknown.append(f"{call.name} cannot be called")
                    continue
                reached.clear()
                with suppress(_HandlerReached):
                    client.call(request)
                if set(reached) & {name_function(function) for function in functions}:
                    code = functions[0].__code__
                    where = f"{code.co_filename}:{code.co_firstlineno}"
                    begun.append(
                        {"route": call.name, "pattern": route.pattern, "handler": route.handler, "where": where}
                    )
    total = sum(len(list_methods(route)) for route in routes.routes)
    return {"started": True, "routes": total, "reason": "", "begun": begun, "unknown": unknown}


def _make_stop(name: str, reached: list[str]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def behaviour_of(_original: Callable[..., Any]) -> Callable[..., Any]:
        def stop(*_: Any, **__: Any) -> Any:
            reached.append(name)
            raise _HandlerReached

        return stop

    return behaviour_of


if __name__ == "__main__":
    sys.stdout.write("\n" + json.dumps(examine_empty_application(sys.argv[1], sys.argv[2])) + "\n")
