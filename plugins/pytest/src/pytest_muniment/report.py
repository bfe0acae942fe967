"""Report of the tests as JSON. docs/reference/design-tests.schema.json of Muniment describes it."""

import datetime
import json
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pytest_muniment.default_tests import SettingsResult
from pytest_muniment.design_file import Design
from pytest_muniment.findings import GuardResult, RouteResult, TestFinding

SCHEMA = 1


def build_report(
    design: Design,
    folder: Path,
    guards: Sequence[GuardResult],
    routes: Sequence[RouteResult] | None,
    unlisted: Sequence[str],
    settings: SettingsResult | None,
) -> dict[str, Any]:
    """Report. A guard that was not tested is unknown in it; a group of tests that did not run is null."""
    by_name = {result.guard: result for result in guards}
    commit, clean = read_commit(folder)
    return {
        "schema": SCHEMA,
        "tool": f"pytest-muniment {_read_version()}",
        "product": design.product,
        "framework": design.application.framework,
        "design_sha256": design.digest,
        "commit": commit,
        "clean": clean,
        "finished_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "guards": [
            _guard_data(by_name.get(guard.id, GuardResult(guard.id, guard.asks, 0, 0, unknown=("it was not tested",))))
            for guard in design.guards
        ],
        "routes": None
        if routes is None
        else {
            "tested": sum(result.status != "unknown" for result in routes),
            "total": len(routes),
            "unlisted": list(unlisted),
            "results": [_route_data(result, folder) for result in routes],
        },
        "settings": None
        if settings is None
        else {
            "status": settings.status.value,
            "started": settings.started,
            "routes": settings.routes,
            "reason": settings.reason,
            "findings": [_finding_data(finding, folder) for finding in settings.findings],
            "unknown": list(settings.unknown),
        },
    }


def write_report(path: Path, report: dict[str, Any]) -> None:
    """Write the report as readable JSON."""
    path.write_text(json.dumps(report, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_commit(folder: Path) -> tuple[str, bool]:
    """Commit of the checkout, and whether its files are those of the commit; "" without git."""
    try:
        head, status = (
            subprocess.run(["git", "-C", str(folder), *words], capture_output=True, check=True, timeout=60).stdout
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
        )
    except (OSError, subprocess.SubprocessError):
        return "", False
    return head.decode().strip(), not status.strip()


def _read_version() -> str:
    try:
        return version("pytest-muniment")
    except PackageNotFoundError:
        return "unknown"


def _guard_data(result: GuardResult) -> dict[str, Any]:
    return {
        "guard": result.guard,
        "asks": list(result.asks),
        "status": result.status.value,
        "faults": result.faults,
        "reached": result.reached,
        "findings": [_finding_data(finding) for finding in result.findings],
        "unknown": list(result.unknown),
        "notes": list(result.notes),
    }


def _route_data(result: RouteResult, folder: Path) -> dict[str, Any]:
    return {
        "route": result.pattern,
        "method": result.method,
        "handler": result.handler,
        "public": result.public,
        "status": result.status.value,
        "outcomes": result.outcomes,
        "findings": [_finding_data(finding, folder) for finding in result.findings],
        "unknown": list(result.unknown),
    }


def _finding_data(finding: TestFinding, folder: Path | None = None) -> dict[str, Any]:
    where = finding.where
    if folder is not None:
        where = where.removeprefix(f"{folder.resolve()}/")
    return asdict(finding) | {"where": where, "sentence": finding.sentence}
