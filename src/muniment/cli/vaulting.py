"""The vault of a service that runs: started with it, started again if it ended, and missed aloud if it cannot be."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from muniment.errors import MunimentError, UsageError

if TYPE_CHECKING:
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


@contextmanager
def kept(folder: Path) -> Iterator[Callable[[], None]]:
    """The vault runs meanwhile; what is yielded looks after it. Without one, everything that needs it is denied."""
    if os.environ.get(URL):
        yield lambda: None
        return
    from muniment.vault.embedded import Embedded

    server = Embedded(folder, os.environ, listen(os.environ))
    tried = _tried(server)
    try:

        def tend() -> None:
            nonlocal tried
            if tried is not None and time.monotonic() > tried + _AGAIN_SECONDS:
                tried = _tried(server, quiet=True)
            elif tried is None:
                with suppress(MunimentError):
                    server.revive()

        yield tend
    finally:
        server.stop()


def _tried(server: "Embedded", *, quiet: bool = False) -> float | None:
    """None if it runs, else when it was tried."""
    try:
        server.start()
    except MunimentError as error:
        if not quiet:
            click.echo(f"muniment: {error.message}", err=True)
            click.echo(f"    Next: {error.remedy}", err=True)
            click.echo("    Until then nothing that needs a secret works; everything else does.", err=True)
        return time.monotonic()
    tell(server)
    return None


def tell(server: "Embedded") -> None:
    """The credential of whoever administers the vault, once, after its very first start."""
    from muniment.vault import layout

    password = server.password()
    if password:
        click.echo("The vault was made. Whoever looks after it signs in to it with this, which is shown once and kept")
        click.echo(f"nowhere: name {layout.PERSON}, password {password}")
        click.echo("Keep a copy of keys/vault.seal elsewhere too: without it nobody can open what is stored.")
        sys.stdout.flush()
