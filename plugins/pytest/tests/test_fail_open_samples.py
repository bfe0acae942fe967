"""Twelve fail-open places are found in a sample application of each framework, and none in its fixed twin."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow  # each starts pytest, with a hundred faults

SAMPLES = Path(__file__).with_name("samples")
SOURCE = Path(__file__).parents[1] / "src"
FACTORIES = {"flask": "shop:create", "django": "shop:create", "fastapi": "shop:create"}
ASYNC = {"fastapi": (1, 2, 5, 10)}
GUARDS_THEMSELVES = (1, 4, 10, 11)  # fail too; all of them would take twice as long
TEST = "from pytest_muniment.design_tests import *\n"


def write_sample(folder: Path, framework: str, variant: str) -> Path:
    shutil.copytree(SAMPLES / "shared", folder, dirs_exist_ok=True)
    shutil.copytree(SAMPLES / framework, folder, dirs_exist_ok=True)
    shutil.copy(SAMPLES / "sample_conftest.py", folder / "conftest.py")
    (folder / "checks.py").write_text(f"from checks_{variant} import *\n")
    (folder / "async_checks.py").write_text(f"from async_checks_{variant} import *\n")
    design = (SAMPLES / "design_template.toml").read_text()
    design = design.replace("FRAMEWORK", framework).replace("FACTORY", FACTORIES[framework])
    for number in range(1, 13):
        asked = {12: "services:Policy.ask_12"}.get(number, f"services:ask_{number}")
        checks = f"checks_{variant}"
        if number in ASYNC.get(framework, ()):
            asked, checks = f"async_checks_{variant}:ask_{number}", f"async_checks_{variant}"
        code = "place_order" if number == 11 else f"check_{number}"
        design += f'[[guard]]\nid = "check-{number}"\nmechanisms = ["role"]\nasks = ["{asked}"]\n'
        if number in GUARDS_THEMSELVES:
            design += f'code = ["{checks}.{code}"]\n'
    (folder / "design.toml").write_text(design)
    (folder / "test_design.py").write_text(TEST)
    return folder


def run_tests(folder: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    command = [sys.executable, "-m", "pytest", "-p", "pytest_muniment.plugin", "-q", "-p", "no:cacheprovider"]
    command += [
        "-c",
        os.devnull,
        "--rootdir",
        str(folder),
        "--muniment-report",
        "report.json",
        "--muniment-hang",
        "0.6",
    ]
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    done = subprocess.run(
        [*command, *arguments, "."], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    report = folder / "report.json"
    return done.returncode, json.loads(report.read_text()) if report.exists() else {}, done.stdout + done.stderr


def find_marked_places(folder: Path, guard: dict[str, Any]) -> bool:
    """Whether a finding of the guard names the line that the sample marks, or the line before it."""
    number = guard["guard"].removeprefix("check-")
    for finding in guard["findings"]:
        path, _, rest = finding["where"].partition(":")
        line = int(rest.split()[0]) if rest else 0
        near = (folder / path).read_text().splitlines()[max(line - 2, 0) : line + 2] if line else []
        if any(text.endswith(f"# open {number}") or f"# open {number}:" in text for text in near):
            return True
    return False


@pytest.mark.parametrize("framework", sorted(FACTORIES))
def test_twelve_places_that_fail_open_are_found_and_named(framework: str, tmp_path: Path) -> None:
    folder = write_sample(tmp_path, framework, "open")
    code, report, output = run_tests(folder, "-k", "test_guard")
    assert code == 1, output
    guards = report["guards"]
    assert [guard["status"] for guard in guards] == ["violated"] * 12, output
    assert [guard["unknown"] for guard in guards] == [[]] * 12
    # Places 11 and 12 change data and show a trace: what the finding says, not a place that swallows.
    unnamed = [guard["guard"] for guard in guards[:10] if not find_marked_places(folder, guard)]
    assert unnamed == [], json.dumps(guards, indent=1)


@pytest.mark.parametrize("framework", sorted(FACTORIES))
def test_nothing_is_found_in_the_fixed_twin(framework: str, tmp_path: Path) -> None:
    folder = write_sample(tmp_path, framework, "fixed")
    code, report, output = run_tests(folder, "-k", "test_guard")
    assert [guard["status"] for guard in report["guards"]] == ["met"] * 12, output
    assert code == 0
