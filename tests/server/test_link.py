"""`muniment link` prints an address that can be opened as it stands, where the service's address is known."""

from pathlib import Path

import pytest

from muniment.cli import serving
from muniment.cli.running import run
from muniment.server.running import preparing


@pytest.fixture(autouse=True)
def _service_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "begin", lambda *_: None)
    monkeypatch.setattr(preparing, "link_for", lambda person: f"/welcome/{person}")
    monkeypatch.delenv("MUNIMENT_URL", raising=False)


def link(capsys: pytest.CaptureFixture[str], home: Path) -> tuple[str, str]:
    assert run(["link", "admin", "--home", str(home)]) == 0
    said = capsys.readouterr()
    return said.out, said.err


def test_the_address_is_that_of_the_service_of_the_home(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / serving.STATE).write_text('{"port": 4321}\n')
    assert link(capsys, tmp_path) == ("http://localhost:4321/welcome/admin\n", "")


def test_the_address_that_people_type_comes_first(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / serving.STATE).write_text('{"port": 4321}\n')
    monkeypatch.setenv("MUNIMENT_URL", "https://muniment.example.test/")
    assert link(capsys, tmp_path) == ("https://muniment.example.test/welcome/admin\n", "")


@pytest.mark.parametrize("state", ["", '{"port": 0}\n'])
def test_without_a_known_address_the_path_and_what_to_do_are_printed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, state: str
) -> None:
    (tmp_path / serving.STATE).write_text(state)
    out, error = link(capsys, tmp_path)
    assert out == "/welcome/admin\n"
    assert "MUNIMENT_URL" in error
