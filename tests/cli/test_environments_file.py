"""muniment environments: parts of a file that the service lacks are planned, confirmed and requested."""

import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dev.generate import DOCS
from muniment.cli import environments, service_requests, vault_changes
from muniment.errors import UsageError

TEMPLATE = (DOCS / "templates" / "environments.toml").read_text(encoding="utf-8")


class FakeService:
    """Part of the API that the command uses, with its stored environments."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def answer_request(
        self, url: str | None, method: str, path: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        if method == "GET":
            return {"items": self.items, "next": None}
        self.sent.append((path, body or {}))
        return {"done": not path.endswith("/pipelines"), "request": 1}


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> FakeService:
    made = FakeService()
    monkeypatch.setattr(environments, "ask_service", made.answer_request)
    monkeypatch.setattr(service_requests, "ask_service", made.answer_request)
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "environments.toml"
    found.write_text(TEMPLATE)
    return found


def run(*arguments: str, answer: str = "") -> Result:
    return CliRunner().invoke(environments.command, [*arguments], input=answer, standalone_mode=False)


def test_plan_names_each_step_and_changes_nothing(service: FakeService, file: Path) -> None:
    done = run("plan", str(file))
    assert done.return_value == 1
    assert [line.split()[0] for line in done.output.splitlines()] == ["add", "trust", "trust", "add", "trust"]
    assert "runner pipeline tests: jobs without a deployment of staging, refs/heads/main" in done.output
    assert (service.sent, list(file.parent.glob("*.key"))) == ([], [])


def test_plan_is_applied_after_confirmation_and_the_private_key_stays_local(service: FakeService, file: Path) -> None:
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
    assert f"key    of tests for staging: MUNIMENT_RUNNER_KEY={key}" in done.output


def test_existing_key_is_reused(service: FakeService, file: Path) -> None:
    run("apply", str(file), "--yes")
    run("apply", str(file), "--yes")
    assert service.sent[1][1]["public_key"] == service.sent[6][1]["public_key"]


def test_existing_environments_stay_and_differing_ones_are_refused(service: FakeService, file: Path) -> None:
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
        "subject_claim": "repo:acme@815/shop@4711:environment:production",
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
def test_invalid_file_is_refused_before_any_request(service: FakeService, text: str) -> None:
    done = run("plan", "-", answer=text)
    assert isinstance(done.exception, UsageError)
    assert "environments.toml" in done.exception.remedy


def test_file_without_a_runner_key_is_not_sent(service: FakeService, file: Path) -> None:
    (file.parent / "tests.key").write_text("nonsense")
    assert isinstance(run("apply", str(file), "--yes").exception, UsageError)
    assert service.sent == []


@pytest.mark.parametrize("waits", [True, False])
def test_vault_roles_are_made_once_nothing_waits_for_a_second_person(
    service: FakeService, file: Path, monkeypatch: pytest.MonkeyPatch, waits: bool
) -> None:
    called: list[object] = []
    monkeypatch.setattr(vault_changes, "set_up_vault_command", called.append)
    monkeypatch.setattr(vault_changes, "apply_vault_plan", lambda **options: called.append(options))
    if not waits:
        for module in (environments, service_requests):
            monkeypatch.setattr(module, "ask_service", lambda *_: {"items": [], "next": None, "done": True})
    done = run("apply", str(file), "--vault", "--yes", "--home", "somewhere")
    assert called == ([] if waits else ["somewhere", {"yes": True}])
    assert ("wait for a second person" in done.output) is waits
