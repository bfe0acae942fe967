"""Commands `muniment secret rollback` and `restore`: select an earlier version, and undo a removal."""

from typing import Any

import pytest
from click.testing import CliRunner

from muniment.cli import secret, service_requests

_WHERE = ["--product", "shop", "--env", "production"]
_PATH = "/api/products/shop/environments/production/secrets/TOKEN"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, Any]]:
    """Requests that the service got."""
    calls: list[tuple[str, str, Any]] = []

    def note(url: str | None, method: str, path: str, body: Any = None) -> dict[str, Any]:
        calls.append((method, path, body))
        one = {
            "name": "TOKEN",
            "changed": "2026-01-02T03:04:05Z",
            "set_by": "olga",
            "version": 4,
            "versions": [4, 3, 2],
        }
        return {"items": [one]}

    monkeypatch.setattr(secret, "ask_service", note)
    monkeypatch.setattr(service_requests, "ask_service", note)
    return calls


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        (["rollback", "TOKEN"], ("POST", f"{_PATH}/rollback", {})),
        (["rollback", "TOKEN", "--version", "2"], ("POST", f"{_PATH}/rollback", {"version": 2})),
        (["restore", "TOKEN"], ("POST", f"{_PATH}/restoration", None)),
    ],
)
def test_rollback_and_restore_send_one_request_and_name_the_secret(
    asked: list[tuple[str, str, Any]], arguments: list[str], call: tuple[str, str, Any]
) -> None:
    done = CliRunner().invoke(secret.command, [*arguments, *_WHERE])
    assert (done.exit_code, asked) == (0, [call])
    assert "TOKEN is" in done.output


def test_list_names_the_other_versions(asked: list[tuple[str, str, Any]]) -> None:
    done = CliRunner().invoke(secret.command, ["list", *_WHERE])
    assert done.output.rstrip().endswith("TOKEN  (other versions: 3, 2)")
