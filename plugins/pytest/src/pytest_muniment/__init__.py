"""Tests the guards of a web application from inside. docs/guides/design-tests.md of Muniment has the steps.

    design_file       reads what the plugin needs of design.toml
    project           values that a project's conftest.py gives: application, data, sign-in
    state             throw-away data that is put back
    frameworks        routes of the running application: Django, Flask, FastAPI
    openapi_examples  smallest requests that a description allows
    clients           WSGI and ASGI calls without a server
    interception      observes or replaces a function for everybody who has a reference to it
    faults            error, unreachable service, time-out, hang, nothing
    swallowing        names the code that swallowed a fault
    isolation         runs a call in a child process, as after a restart
    calls             one call with everything that was observed
    guard_tests       injects faults into what guards ask, and into guards
    route_tests       calls each route without rights, as each role, and as owners
    default_tests     starts the application with empty settings
    report            results as JSON
    plugin            options and fixtures of pytest
    baselines         calls without a fault, which guard tests and route tests share
    observation       functions that ran during a call, its log, its connections
    handlers          functions of handlers below their decorators
    findings          findings and results
    design_tests      the tests themselves

It imports nothing of Muniment.
"""

from pytest_muniment.project import AppRequest, Project, Sample
from pytest_muniment.state import SqliteState, State

__all__ = ["AppRequest", "Project", "Sample", "SqliteState", "State"]
