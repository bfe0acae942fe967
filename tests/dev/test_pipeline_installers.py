"""What other systems include of this repository by its commit: an action, a GitLab component, hooks for pre-commit."""

import os
import shlex
import subprocess
from pathlib import Path

import yaml
from click.testing import CliRunner

from dev.rules import ROOT
from muniment.cli.commands import muniment


def test_action_installs_the_commands_and_puts_them_on_the_path(tmp_path: Path) -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    (step,) = action["runs"]["steps"]
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "install").write_text('#!/bin/sh\nprintf "%s" "$*" >"${0%/*}/asked"\n')
    (tmp_path / "bin" / "install").chmod(0o755)
    environment = {**os.environ, "GITHUB_ACTION_PATH": str(tmp_path), "GITHUB_PATH": str(tmp_path / "path")}
    subprocess.run(["bash", "-eo", "pipefail", "-c", step["run"]], check=True, env=environment)
    assert (tmp_path / "bin" / "asked").read_text() == "--pipeline"
    assert (tmp_path / "path").read_text() == f"{tmp_path}/.venv/bin\n"


def test_action_and_hooks_use_no_foreign_code() -> None:
    assert "uses:" not in (ROOT / "action.yml").read_text(encoding="utf-8")


def test_component_of_gitlab_installs_an_exact_version(tmp_path: Path) -> None:
    specification, jobs = yaml.safe_load_all((ROOT / "templates" / "install.yml").read_text(encoding="utf-8"))
    assert "default" not in specification["spec"]["inputs"]["version"]
    script = "\n".join(jobs[".muniment"]["before_script"]).replace("$[[ inputs.version ]]", "1.2.3")
    (tmp_path / "tools").mkdir()
    called = tmp_path / "called"
    fake = f'#!/bin/sh\nprintf "%s\\n" "$*" >>{shlex.quote(str(called))}\n'
    for file in (tmp_path / "tools" / "python3", tmp_path / "builds" / "muniment" / "bin" / "pip"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(fake)
        file.chmod(0o755)
    environment = {"PATH": f"{tmp_path / 'tools'}:{os.environ['PATH']}", "CI_BUILDS_DIR": str(tmp_path / "builds")}
    done = subprocess.run(
        ["bash", "-euc", f'{script}\nprintf "%s" "$PATH"'],
        check=True,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert done.stdout.startswith(f"{tmp_path}/builds/muniment/bin:")
    assert called.read_text().splitlines() == [
        f"-m venv {tmp_path}/builds/muniment",
        "install --only-binary :all: muniment[pipeline]==1.2.3",
    ]


def test_each_hook_of_pre_commit_runs_a_command_that_exists() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert [hook["id"] for hook in hooks] == ["muniment-secrets"]
    for hook in hooks:
        name, *arguments = shlex.split(hook["entry"])
        assert name == "muniment"
        assert CliRunner().invoke(muniment, [*arguments, "--help"]).exit_code == 0
