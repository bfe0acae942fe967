"""Password of a new vault's administrator: shown exactly once, whatever ends the service."""

from pathlib import Path
from typing import cast

import pytest

from muniment.cli import vault_changes, vault_process
from muniment.cli.vault_process import VaultSupervisor
from muniment.errors import VaultCode, VaultError
from muniment.vault.embedded_vault import EmbeddedVault

PASSWORD = "-".join(["made", "at", "run", "time"])


class FailingServer:
    """Vault server that fails to start a number of times."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.left = ""
        self.running = False

    def start(self) -> None:
        if self.failures:
            self.failures -= 1
            raise VaultError(VaultCode.UNREACHABLE, "the vault cannot be used: it ended at once", "See its log.")
        self.running, self.left = True, PASSWORD

    def stop(self) -> None:
        self.running = False

    def take_password(self) -> str:
        text, self.left = self.left, ""
        return text


def supervisor(server: FailingServer) -> VaultSupervisor:
    return VaultSupervisor(cast("EmbeddedVault", server), Path("/srv/muniment"))


def test_password_is_shown_once_with_its_purpose(capsys: pytest.CaptureFixture[str]) -> None:
    one = supervisor(FailingServer())
    one.start_vault()
    assert capsys.readouterr().out == ""
    one.show_password()
    one.show_password()
    one.stop_vault()
    output = capsys.readouterr().out
    assert output.count(PASSWORD) == 1
    assert "muniment vault password" in output
    assert "/srv/muniment/keys/vault.seal" in output


def test_service_that_ends_before_printing_its_address_shows_the_password(capsys: pytest.CaptureFixture[str]) -> None:
    server = FailingServer()
    one = supervisor(server)
    one.start_vault()
    one.stop_vault()
    assert PASSWORD in capsys.readouterr().out
    assert not server.running


def test_password_is_shown_when_the_vault_starts_late(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault_process, "_RETRY_SECONDS", -1.0)
    one = supervisor(FailingServer(failures=2))
    one.start_vault()
    output = capsys.readouterr()
    assert "ended at once" in output.err
    assert "everything else does" in output.err
    one.restart_if_ended()
    assert capsys.readouterr() == ("", "")
    one.restart_if_ended()
    assert PASSWORD in capsys.readouterr().out


def test_foreign_vault_shows_no_password(capsys: pytest.CaptureFixture[str]) -> None:
    one = VaultSupervisor(None, Path("/srv/muniment"))
    one.start_vault()
    one.restart_if_ended()
    one.show_password()
    one.stop_vault()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("initialized", [True, False])
@pytest.mark.parametrize("address", ["", "http://127.0.0.1:8200"])
def test_address_for_jobs_is_mentioned_where_the_home_has_a_vault(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    address: str,
    initialized: bool,
) -> None:
    monkeypatch.setenv("MUNIMENT_VAULT_URL", address)
    monkeypatch.setattr(EmbeddedVault, "is_initialized", initialized)
    vault_changes.mention_other_vault(tmp_path)
    assert ("not the one in" in capsys.readouterr().err) is bool(address and initialized)
