"""The vault of a running service: started with it, restarted if it ended, reported if it cannot start."""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from muniment.errors import MunimentError, UsageError

if TYPE_CHECKING:
    from muniment.programs.service_process import SystemAccount
    from muniment.vault.embedded_vault import EmbeddedVault, VaultListener

URL_VARIABLE = "MUNIMENT_VAULT_URL"
LISTEN, CERTIFICATE, KEY = "MUNIMENT_VAULT_LISTEN", "MUNIMENT_VAULT_CERT", "MUNIMENT_VAULT_KEY"

_RETRY_SECONDS = 10.0
_LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")


def read_listener(environment: Mapping[str, str]) -> "VaultListener | None":
    """Read the address where pipelines reach the vault; None if only this account reaches it. Raises UsageError."""
    from muniment.vault.embedded_vault import VaultListener

    named = environment.get(LISTEN)
    if not named:
        return None
    host, _, port = named.rpartition(":")
    certificate, key = environment.get(CERTIFICATE, ""), environment.get(KEY, "")
    if not host or not port.isdecimal() or bool(certificate) != bool(key):
        raise UsageError(f"{LISTEN} cannot be read", f"Set it to host:port, and {CERTIFICATE} and {KEY} both or none.")
    if not certificate and host.strip("[]") not in _LOCAL_HOSTS:
        raise UsageError(f"{LISTEN} would send secrets in the clear", f"Name a certificate: {CERTIFICATE} and {KEY}.")
    return VaultListener(host, int(port), certificate, key)


class VaultSupervisor:
    """Keeps the vault running, and has the password of its administrator until it was shown."""

    def __init__(self, server: "EmbeddedVault | None", home: Path) -> None:
        self._server = server
        self._home = home
        self._failed_at: float | None = None

    def start_vault(self) -> None:
        """Start the vault. A failure is printed, and tried again by `restart_if_ended`."""
        self._try_start(quiet=False)

    def restart_if_ended(self) -> None:
        """Start the vault again if it ended or could not be started."""
        if self._server is None:
            return
        if self._failed_at is None:
            with suppress(MunimentError):
                self._server.restart_if_ended()
        elif time.monotonic() > self._failed_at + _RETRY_SECONDS:
            self._try_start(quiet=True)
            self.show_password()

    def show_password(self) -> None:
        """Print the password of the vault's administrator, once, after the vault's very first start."""
        if self._server is not None:
            print_password(self._server, self._home)

    def stop_vault(self) -> None:
        """Stop the vault. A password that was not shown yet is shown now: it is stored nowhere."""
        if self._server is not None:
            self._server.stop()
        self.show_password()

    def _try_start(self, *, quiet: bool) -> None:
        if self._server is None:
            return
        try:
            self._server.start()
            self._failed_at = None
        except MunimentError as error:
            self._failed_at = time.monotonic()
            if not quiet:
                click.echo(f"muniment: {error.message}", err=True)
                click.echo(f"    Next: {error.remedy}", err=True)
                click.echo("    Until then nothing that needs a secret works; everything else does.", err=True)


@contextmanager
def run_vault(folder: Path, account: "SystemAccount | None" = None) -> Iterator[VaultSupervisor]:
    """Run the vault in this context, as `account` if one is given. Without one, everything that needs a secret is
    denied.
    """
    server = None
    if not os.environ.get(URL_VARIABLE):
        from muniment.vault.embedded_vault import EmbeddedVault

        server = EmbeddedVault(folder, os.environ, read_listener(os.environ), account)
    supervisor = VaultSupervisor(server, folder)
    supervisor.start_vault()
    try:
        yield supervisor
    finally:
        supervisor.stop_vault()


def print_password(server: "EmbeddedVault", home: Path) -> None:
    """Print the password of a new vault's administrator; nothing if it was shown before."""
    from muniment.vault import layout
    from muniment.vault.embedded_vault import SEAL_FILE

    password = server.take_password()
    if password:
        click.echo(
            f"\nVault administrator, shown once and stored nowhere: name {layout.ADMINISTRATOR}, password {password}"
        )
        click.echo("    It changes who may read which secret: muniment vault plan, muniment vault apply.")
        click.echo("    Replace it: muniment vault password. If it is lost: docs/guides/vault.md.")
        click.echo(
            f"    Keep a copy of {home / SEAL_FILE} on another machine: without it the secrets cannot be decrypted.\n"
        )
        sys.stdout.flush()
