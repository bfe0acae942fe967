"""Scripts bin/test and .ci/run: every test once, slow ones with --all, and coverage by the pure part's tests."""

import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from dev.rules import ROOT

BOOTSTRAP = """
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
PATH="$root/stubs:$PATH"
"""
STUB = '#!/bin/bash\nprintf "%q " "${0##*/}" "$@" >>"$CALLS"\necho >>"$CALLS"\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Checkout with our scripts, whose programs only record their calls."""
    for folder in ("bin", ".ci", "stubs"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / "bin" / "test", tmp_path / "bin")
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci")
    (tmp_path / "bin" / "_bootstrap").write_text(BOOTSTRAP)
    for stub in ("bin/lint", "bin/mutate", "stubs/pytest"):
        (tmp_path / stub).write_text(STUB)
        (tmp_path / stub).chmod(0o755)
    return tmp_path


def run(checkout: Path, script: str, *arguments: str) -> list[list[str]]:
    """Programs that the script calls, with their arguments."""
    calls = checkout / "calls"
    environment = {"PATH": "/usr/bin:/bin", "CALLS": str(calls)}
    subprocess.run([checkout / script, *arguments], env=environment, check=True)
    return [shlex.split(line) for line in calls.read_text().splitlines()]


@pytest.mark.parametrize(("arguments", "chosen"), [((), ["-m", "not slow"]), (("--all",), [])])
def test_each_test_runs_in_exactly_one_of_two_parts(
    checkout: Path, arguments: tuple[str, ...], chosen: list[str]
) -> None:
    lint, pure, others = run(checkout, "bin/test", *arguments)
    assert lint == ["lint"]
    folders = [word for word in pure if word.startswith("tests/")]
    assert pure == ["pytest", "-n", "2", *chosen, *folders, "--cov"]
    ignored = [f"--ignore={folder}" for folder in folders]
    ways = ["--max-worker-restart", "0", "--dist", "loadfile", "--no-loadscope-reorder"]
    assert others == ["pytest", "-n", "2", *ways, *chosen, *ignored]


def test_coverage_uses_the_tests_of_every_package_of_the_pure_part(checkout: Path) -> None:
    _, pure, _ = run(checkout, "bin/test")
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["coverage"]["run"]["source_pkgs"]
    folders = {f"tests/{package.removeprefix('muniment.')}" for package in packages}
    assert {word for word in pure if word.startswith("tests/")} == folders
    assert all((ROOT / folder).is_dir() for folder in folders)


def test_other_arguments_are_passed_to_pytest(checkout: Path) -> None:
    assert run(checkout, "bin/test", "tests/git", "-k", "a b") == [["pytest", "tests/git", "-k", "a b"]]


def test_ci_also_runs_slow_tests_and_mutation_tests(checkout: Path) -> None:
    calls = run(checkout, ".ci/run")
    assert [call[0] for call in calls] == ["lint", "pytest", "pytest", "mutate"]
    assert not any("-m" in call for call in calls)
    assert calls[-1] == ["mutate", "--changed", "--minutes", "15"]
