"""muniment environments: what a file says and the service lacks is planned, asked about, and requested."""

import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dev.generate import DOCS
from muniment.cli import environments
from muniment.errors import UsageError

TEMPLATE = (DOCS / "templates" / "environments.toml").read_text(encoding="utf-8")


class Service:
    """The part of the API that is asked, with what it has."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def ask(self, url: str | None, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        if method == "GET":
            return {"items": self.items, "next": None}
        self.sent.append((path, body or {}))
        return {"done": not path.endswith("/pipelines"), "request": 1}


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    made = Service()
    monkeypatch.setattr(environments, "ask_service", made.ask)
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "environments.toml"
    found.write_text(TEMPLATE)
    return found


def run(*arguments: str, answer: str = "") -> Result:
    return CliRunner().invoke(environments.command, [*arguments], input=answer, standalone_mode=False)


def test_a_plan_names_each_step_and_changes_nothing(service: Service, file: Path) -> None:
    done = run("plan", str(file))
    assert done.return_value == 1
    assert [line.split()[0] for line in done.output.splitlines()] == ["add", "trust", "trust", "add", "trust"]
    assert "runner pipeline tests: jobs without a deployment of staging, refs/heads/main" in done.output
    assert (service.sent, list(file.parent.glob("*.key"))) == ([], [])


def test_it_is_applied_after_a_question_and_the_key_stays_here(service: Service, file: Path) -> None:
    assert run("apply", str(file), answer="n\n").exit_code != 0
    assert service.sent == []
    done = run("apply", str(file), answer="y\n")
    assert [path.rpartition("/environments")[2] for path, _ in service.sent] == [
        "",
        "/staging/pipelines",
        "/staging/pipelines",
        "",
        "/production/pipelines",
    ]
    tests = service.sent[1][1]
    assert (tests["kind"], tests["purpose"], tests["ref_patterns"]) == ("runner", "run", ["refs/heads/main"])
    assert tests["public_key"].startswith("-----BEGIN PUBLIC KEY-----")
    key = file.parent / "tests.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "PRIVATE" not in str(service.sent) + done.output
    assert "3 of 5 wait for a second person" in done.output
    assert "muniment vault apply" in done.output


def test_a_key_that_is_there_is_used_again(service: Service, file: Path) -> None:
    run("apply", str(file), "--yes")
    run("apply", str(file), "--yes")
    assert service.sent[1][1]["public_key"] == service.sent[6][1]["public_key"]


def test_what_the_service_has_is_left_and_what_differs_is_refused(service: Service, file: Path) -> None:
    there = {
        "kind": "runner",
        "purpose": "run",
        "issuer": "",
        "subject_claim": "",
        "forge_repository_id": "",
        "forge_environment": "",
        "ref_patterns": ["refs/heads/main"],
        "workflow_paths": [],
    }
    release = there | {"name": "release", "purpose": "deploy"}
    github = release | {
        "kind": "github",
        "issuer": "https://token.actions.githubusercontent.com",
        "subject_claim": "repo:acme/shop:environment:production",
        "forge_repository_id": "4711",
        "forge_environment": "production",
    }
    service.items = [
        {"name": "staging", "pipelines": [there | {"name": "tests"}, release]},
        {"name": "production", "pipelines": [github]},
    ]
    assert (run("plan", str(file)).return_value, run("apply", str(file)).return_value) == (0, 0)
    service.items[0]["pipelines"][0]["ref_patterns"] = ["refs/heads/*"]
    with pytest.raises(UsageError, match="tests of staging differs: ref_patterns"):
        raise run("plan", str(file)).exception or AssertionError
    assert service.sent == []


@pytest.mark.parametrize(
    "text",
    [
        "product = ",
        'product = "shop"',
        'product = "shop"\n[[environment]]\nname = "a"\nmore = 1',
        'product = "shop"\n[[environment]]\nname = "a"\n[[environment.pipeline]]\nname = "p"\nkind = "jenkins"',
    ],
)
def test_a_file_that_is_not_understood_is_refused_before_anything_is_asked(service: Service, text: str) -> None:
    done = run("plan", "-", answer=text)
    assert isinstance(done.exception, UsageError)
    assert "environments.toml" in done.exception.remedy


def test_a_file_that_is_no_key_of_a_runner_is_not_sent(service: Service, file: Path) -> None:
    (file.parent / "tests.key").write_text("nonsense")
    assert isinstance(run("apply", str(file), "--yes").exception, UsageError)
    assert service.sent == []
