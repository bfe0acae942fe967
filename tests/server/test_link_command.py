"""`muniment link` prints an address that can be opened as it stands, where the service's address is known."""

from pathlib import Path

import pytest

from muniment.cli import service_setup
from muniment.cli.command_line import run_command_line
from muniment.server.running import preparation


@pytest.fixture(autouse=True)
def _fake_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_setup, "set_up_process", lambda *_: None)
    monkeypatch.setattr(preparation, "make_sign_in_link", lambda person: f"/welcome/{person}")
    monkeypatch.delenv("MUNIMENT_URL", raising=False)


def link(capsys: pytest.CaptureFixture[str], home: Path) -> tuple[str, str]:
    assert run_command_line(["link", "admin", "--home", str(home)]) == 0
    output = capsys.readouterr()
    return output.out, output.err


def test_link_uses_address_of_running_service(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / service_setup.STATE_FILE).write_text('{"port": 4321}\n')
    assert link(capsys, tmp_path) == ("http://localhost:4321/welcome/admin\n", "")


def test_configured_address_takes_precedence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / service_setup.STATE_FILE).write_text('{"port": 4321}\n')
    monkeypatch.setenv("MUNIMENT_URL", "https://muniment.example.test/")
    assert link(capsys, tmp_path) == ("https://muniment.example.test/welcome/admin\n", "")


@pytest.mark.parametrize("state", ["", '{"port": 0}\n'])
def test_without_known_address_prints_path_and_next_step(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, state: str
) -> None:
    (tmp_path / service_setup.STATE_FILE).write_text(state)
    out, error = link(capsys, tmp_path)
    assert out == "/welcome/admin\n"
    assert "MUNIMENT_URL" in error
