"""Templates for pipelines: valid for their systems, pinned, without secrets, with minimal permissions."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from dev.generate import DOCS
from muniment.cli.commands import muniment
from muniment.facts.maybe import Known
from muniment.pipelines import provenance
from tests.support.repos import Repo

TEMPLATES = DOCS / "templates"
SCRIPTS = ("deploy.sh", "provenance.sh")
YAML = sorted(TEMPLATES.glob("*.yml"))
_PINNED = re.compile(r"\S+@([0-9a-f]{40}|sha256:[0-9a-f]{64})")


def read(name: str) -> Any:
    return yaml.safe_load((TEMPLATES / name).read_text(encoding="utf-8"))


def test_templates_exist_for_each_system() -> None:
    assert {file.name for file in TEMPLATES.iterdir()} == {
        "github.yml",
        "gitlab.yml",
        "gitea.yml",
        "environments.toml",
        "nginx.conf",
        *SCRIPTS,
    }


@pytest.mark.parametrize("name", ["github.yml", "gitea.yml"])
def test_actions_are_pinned(name: str) -> None:
    used = [step["uses"] for job in read(name)["jobs"].values() for step in job["steps"] if "uses" in step]
    assert used
    assert all(_PINNED.fullmatch(action) for action in used)


def test_gitlab_uses_an_image_by_digest_and_two_identities() -> None:
    job = read("gitlab.yml")["production"]
    assert _PINNED.fullmatch(job["image"])
    audiences = {name: token["aud"] for name, token in job["id_tokens"].items()}
    assert audiences == {"MUNIMENT_ID_TOKEN": "muniment-vault", "MUNIMENT_API_TOKEN": job["variables"]["MUNIMENT_URL"]}


def test_github_grants_permissions_to_one_job_only() -> None:
    workflow = read("github.yml")
    assert workflow["permissions"] == {}
    assert workflow["jobs"]["production"]["permissions"] == {"contents": "read", "id-token": "write"}


def test_zizmor_has_no_findings(tmp_path: Path) -> None:
    workflow = tmp_path / ".github" / "workflows" / "deploy.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_bytes((TEMPLATES / "github.yml").read_bytes())
    zizmor = Path(sys.executable).parent / "zizmor"
    done = subprocess.run([zizmor, "--offline", "--no-progress", workflow], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_is_valid_bash(name: str) -> None:
    subprocess.run(["bash", "-n", TEMPLATES / name], check=True)


def test_provenance_signed_by_the_builder_script_is_accepted(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "shop")
    commit = repo.commit({"app.py": "x = 1\n"})
    (repo.path / "shop.tar").write_text("an artifact")
    private, public = tmp_path / "builder.key", tmp_path / "builder.pub"
    curve = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    subprocess.run(["openssl", "genpkey", *curve, "-out", private], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", private, "-pubout", "-out", public], check=True)
    made = subprocess.run(
        ["bash", TEMPLATES / "provenance.sh", "shop.tar", commit],
        cwd=repo.path,
        env={**os.environ, "BUILDER_KEY": str(private)},
        capture_output=True,
        check=True,
    ).stdout
    artifact = f"sha256:{hashlib.sha256(b'an artifact').hexdigest()}"
    builder = provenance.Builder("https://ci.example.test/builder", public.read_text())
    result = provenance.read_provenance(made, artifact, [builder])
    assert (result.signed_by, result.commit, result.artifact) == (Known(builder.id), commit, artifact)


def _deploy_commands(file: Path) -> str:
    """Shell commands by which a template deploys."""
    if file.suffix == ".sh":
        return file.read_text(encoding="utf-8")
    (job,) = (
        (one for name, one in read(file.name).items() if name == "production")
        if file.name == "gitlab.yml"
        else (read(file.name)["jobs"].values())
    )
    commands = job["script"] if "script" in job else [step.get("run", "") for step in job["steps"]]
    return "\n".join(command for command in commands if "muniment[pipeline]" not in command)


@pytest.mark.parametrize("file", [*YAML, TEMPLATES / "deploy.sh"], ids=lambda file: file.name)
def test_each_template_deploys_with_its_named_secrets(file: Path, tmp_path: Path) -> None:
    repo = Repo(tmp_path / "shop")
    repo.commit({"app.py": "x = 1\n"})
    for name, text in {
        "build.sh": "#!/bin/sh\necho x > $1",
        "muniment": "#!/bin/sh\nprintf '%s\\n' \"$@\" > used",
    }.items():
        (repo.path / name).write_text(text)
        (repo.path / name).chmod(0o755)
    given = {"ARTIFACT": "sha256:" + "a" * 64, "GITHUB_OUTPUT": "output", "GITHUB_ENV": "env"}
    path = f"{repo.path}:{os.environ['PATH']}"
    subprocess.run(
        ["bash", "-euc", _deploy_commands(file)], cwd=repo.path, env={**os.environ, **given, "PATH": path}, check=True
    )
    _, *arguments = (repo.path / "used").read_text().splitlines()
    with muniment.make_context("muniment", ["deploy"]) as context:
        command = muniment.get_command(context, "deploy")
        assert command is not None
        used = command.make_context("deploy", arguments, context).params
    assert (used["variables"], used["files"], used["command"]) == (("DATABASE_URL",), ("DEPLOY_KEY",), ("./deploy.sh",))


@pytest.mark.parametrize("file", [*YAML, TEMPLATES / "deploy.sh"], ids=lambda file: file.name)
def test_each_template_deploys_with_existing_options(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert "muniment deploy" in text
    output = CliRunner().invoke(muniment, ["deploy", "--help"]).output
    used = set(re.findall(r"--[a-z]+", text[text.index("muniment deploy") :].replace("--verify", "")))
    assert used
    assert all(option in output for option in used)
