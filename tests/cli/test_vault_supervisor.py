"""The password of a new vault's administrator is shown once, whatever ends the service."""

from pathlib import Path
from typing import cast

import pytest

from muniment.cli import vaulting
from muniment.cli.vaulting import Supervisor
from muniment.errors import VaultCode, VaultError
from muniment.vault.embedded import Embedded

PASSWORD = "-".join(["made", "at", "run", "time"])


class Server:
    """A vault that fails to start a number of times."""

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

    def password(self) -> str:
        told, self.left = self.left, ""
        return told


def supervisor(server: Server) -> Supervisor:
    return Supervisor(cast("Embedded", server), Path("/srv/muniment"))


def test_it_is_shown_once_and_says_what_for(capsys: pytest.CaptureFixture[str]) -> None:
    one = supervisor(Server())
    one.start()
    assert capsys.readouterr().out == ""
    one.show_password()
    one.show_password()
    one.stop()
    said = capsys.readouterr().out
    assert said.count(PASSWORD) == 1
    assert "muniment vault password" in said
    assert "/srv/muniment/keys/vault.seal" in said


def test_a_service_that_ends_before_its_address_was_printed_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    server = Server()
    one = supervisor(server)
    one.start()
    one.stop()
    assert PASSWORD in capsys.readouterr().out
    assert not server.running


def test_a_vault_that_starts_later_shows_it_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vaulting, "_AGAIN_SECONDS", -1.0)
    one = supervisor(Server(failures=2))
    one.start()
    said = capsys.readouterr()
    assert "ended at once" in said.err
    assert "everything else does" in said.err
    one.tend()
    assert capsys.readouterr() == ("", "")
    one.tend()
    assert PASSWORD in capsys.readouterr().out


def test_the_companys_own_vault_has_no_password_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    one = Supervisor(None, Path("/srv/muniment"))
    one.start()
    one.tend()
    one.show_password()
    one.stop()
    assert capsys.readouterr() == ("", "")
