"""Import of secrets by `muniment secret import` from a .env file or standard input; no value is printed."""

from typing import Any

import pytest
from click.testing import CliRunner

from muniment.cli import secret

WORD = "-".join(["what", "nobody", "sees", "again"])
WHERE = ["--product", "shop", "--env", "staging"]


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Names and values that the service gets."""
    found: list[tuple[str, str]] = []

    def note(_url: Any, _product: str, _environment: str, name: str, body: dict[str, Any]) -> None:
        found.append((name, body["value"]))

    monkeypatch.setattr(secret, "_put_secret", note)
    monkeypatch.setattr(secret, "_list_names", lambda *_: set())
    return found


def test_standard_input_is_imported_without_advice_to_delete_a_file(put: list[tuple[str, str]]) -> None:
    done = CliRunner().invoke(secret.command, ["import", "-", *WHERE], input=f"TOKEN={WORD}\n")
    assert (done.exit_code, put) == (0, [("TOKEN", WORD)])
    assert "shred" not in done.output
    assert WORD not in done.output


def test_file_is_imported_and_the_next_step_deletes_it(put: list[tuple[str, str]], tmp_path: Any) -> None:
    file = tmp_path / "a file.env"
    file.write_text(f"TOKEN={WORD}\n")
    done = CliRunner().invoke(secret.command, ["import", str(file), *WHERE])
    assert put == [("TOKEN", WORD)]
    assert f"shred -u '{file}'. " in done.output


@pytest.mark.parametrize("given", ["", "TOKEN=\n", "# nothing\n", "BASH_ENV=/tmp/x-and-more\n"])
def test_invalid_import_sends_nothing(put: list[tuple[str, str]], given: str) -> None:
    done = CliRunner().invoke(secret.command, ["import", "-", *WHERE], input=given)
    assert done.exit_code != 0
    assert put == []
