"""The vault of a service that runs: started with it, started again if it ended, and missed aloud if it cannot be."""

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
    from muniment.programs.service import Account
    from muniment.vault.embedded import Embedded, Listen

URL = "MUNIMENT_VAULT_URL"
LISTEN, CERTIFICATE, KEY = "MUNIMENT_VAULT_LISTEN", "MUNIMENT_VAULT_CERT", "MUNIMENT_VAULT_KEY"

_AGAIN_SECONDS = 10.0
_HERE = ("127.0.0.1", "localhost", "::1")


def listen(environment: Mapping[str, str]) -> "Listen | None":
    """Where pipelines are to reach it, None if only this account does. Raises UsageError."""
    from muniment.vault.embedded import Listen

    named = environment.get(LISTEN)
    if not named:
        return None
    host, _, port = named.rpartition(":")
    certificate, key = environment.get(CERTIFICATE, ""), environment.get(KEY, "")
    if not host or not port.isdecimal() or bool(certificate) != bool(key):
        raise UsageError(f"{LISTEN} cannot be read", f"Set it to host:port, and {CERTIFICATE} and {KEY} both or none.")
    if not certificate and host.strip("[]") not in _HERE:
        raise UsageError(f"{LISTEN} would send secrets in the clear", f"Name a certificate: {CERTIFICATE} and {KEY}.")
    return Listen(host, int(port), certificate, key)


class Supervisor:
    """Keeps the vault running, and has the password of its administrator until it was shown."""

    def __init__(self, server: "Embedded | None", home: Path) -> None:
        self._server = server
        self._home = home
        self._failed_at: float | None = None

    def start(self) -> None:
        """Start it. What fails is printed, and tried again by `tend`."""
        self._try(quiet=False)

    def tend(self) -> None:
        """Start it again if it ended or could not be started."""
        if self._server is None:
            return
        if self._failed_at is None:
            with suppress(MunimentError):
                self._server.revive()
        elif time.monotonic() > self._failed_at + _AGAIN_SECONDS:
            self._try(quiet=True)
            self.show_password()

    def show_password(self) -> None:
        """Print the password of the vault's administrator, once, after the vault's very first start."""
        if self._server is not None:
            show_password(self._server, self._home)

    def stop(self) -> None:
        """Stop it. A password that was not shown yet is shown now: it is stored nowhere."""
        if self._server is not None:
            self._server.stop()
        self.show_password()

    def _try(self, *, quiet: bool) -> None:
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
def supervised(folder: Path, account: "Account | None" = None) -> Iterator[Supervisor]:
    """The vault runs meanwhile, as `account` if one is given. Without one, everything that needs it is denied."""
    server = None
    if not os.environ.get(URL):
        from muniment.vault.embedded import Embedded

        server = Embedded(folder, os.environ, listen(os.environ), account)
    supervisor = Supervisor(server, folder)
    supervisor.start()
    try:
        yield supervisor
    finally:
        supervisor.stop()


def show_password(server: "Embedded", home: Path) -> None:
    """Print the password of a new vault's administrator; nothing if it was shown before."""
    from muniment.vault import layout
    from muniment.vault.embedded import SEAL

    password = server.password()
    if password:
        click.echo(f"\nVault administrator, shown once and stored nowhere: name {layout.PERSON}, password {password}")
        click.echo("    It changes who may read which secret: muniment vault plan, muniment vault apply.")
        click.echo("    Replace it: muniment vault password. If it is lost: docs/guides/vault.md.")
        click.echo(
            f"    Keep a copy of {home / SEAL} on another machine: without it the secrets cannot be decrypted.\n"
        )
        sys.stdout.flush()
