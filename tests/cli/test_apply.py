"""muniment apply: the plan is shown first, exactly that plan is carried out, and nothing where nothing changes."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from muniment.cli import service_requests
from muniment.cli.command_line import run_command_line
from muniment.errors import UsageError

CHANGES = [
    {"act": "add-product", "change": "add the product Shop", "waits": False},
    {"act": "grant-role", "change": "grant eva the role security\u202e", "waits": True},
]


class FakeService:
    """Answers with a plan, and notes what was sent."""

    def __init__(self) -> None:
        self.changes: list[dict[str, object]] = list(CHANGES)
        self.sent: list[tuple[str, dict[str, object]]] = []

    def ask(self, _url: str | None, _method: str, path: str, body: Mapping[str, object]) -> dict[str, object]:
        self.sent.append((path, dict(body)))
        if "wrong" in str(body["file"]):
            raise UsageError("company.toml:3: [[product]]: it has an unknown key", "Correct it.")
        if path.endswith("/plan"):
            return {"digest": "sha256:x", "changes": self.changes}
        return {"changes": 2, "requests": [7]}


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> FakeService:
    found = FakeService()
    monkeypatch.setattr(service_requests, "ask_service", found.ask)
    return found


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "acme.toml"
    path.write_text('[[product]]\nid = "shop"\nname = "Shop"\n')
    return str(path)


def test_only_plan_changes_nothing(service: FakeService, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["apply", "-f", file, "--plan"]) == 1
    out = capsys.readouterr().out
    assert "+ add the product Shop" in out
    assert "needs a second person" in out
    assert "\u202e" not in out
    assert [path for path, _body in service.sent] == ["/api/company/plan"]


def test_confirmed_plan_is_carried_out_by_its_digest(
    service: FakeService, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["apply", "-f", file, "--yes"]) == 0
    assert service.sent[1][0] == "/api/company/apply"
    assert service.sent[1][1]["digest"] == "sha256:x"
    assert "Requests that wait: 7. Your token confirmed none of them." in capsys.readouterr().out


def test_without_terminal_nothing_is_carried_out(service: FakeService, file: str) -> None:
    assert run_command_line(["apply", "-f", file]) == 2
    assert len(service.sent) == 1


def test_second_run_carries_out_nothing(service: FakeService, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    service.changes = []
    assert run_command_line(["apply", "-f", file, "--yes"]) == 0
    assert len(service.sent) == 1
    assert "nothing has to change" in capsys.readouterr().out


def test_mistake_names_the_file_that_was_given(
    tmp_path: Path, service: FakeService, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "acme.toml"
    path.write_text("wrong")
    assert run_command_line(["apply", "-f", str(path), "--plan"]) == 2
    assert f"{path}:3: " in capsys.readouterr().err
    path.write_bytes(b"\xff")
    assert run_command_line(["apply", "-f", str(path), "--plan"]) == 2


def test_home_that_was_never_started_is_refused(tmp_path: Path, file: str, service: FakeService) -> None:
    assert run_command_line(["apply", "-f", file, "--home", str(tmp_path)]) == 2
    assert service.sent == []
