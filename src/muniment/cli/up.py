"""muniment up: the whole service on this machine, with a database of its own."""

import fcntl
import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from muniment.cli import service_setup
from muniment.errors import GitError, StoreError, UsageError
from muniment.git.repository import Repository

if TYPE_CHECKING:
    from muniment.cli.service_setup import SignInLinks
    from muniment.cli.vault_process import VaultSupervisor
    from muniment.server.running.process_separation import ProcessSeparation


@click.command()
@click.argument("repositories", nargs=-1, metavar="[REPO ...]")
@service_setup.home
@service_setup.log
@click.option("--port", type=click.IntRange(1, 65535), help="Listen here. Default: a free one, kept for later.")
@click.option(
    "--confirmation-port",
    type=click.IntRange(1, 65535),
    help="Listen here for signatures of dangerous acts. Default: a free one, kept for later.",
)
@service_setup.host
@click.option("--once", is_flag=True, help="Evaluate the repositories, print the results, and stop.")
@click.option("--new-passwords", is_flag=True, help="Give the logins at DATABASE_URL new passwords, for all machines.")
def command(
    repositories: tuple[str, ...],
    home: str,
    log: str,
    port: int | None,
    confirmation_port: int | None,
    host: str,
    *,
    once: bool,
    new_passwords: bool,
) -> int:
    """Start the whole service for REPOSITORIES (default: this one).

    It prints the address, and at the first start a link with which the first administrator signs in. It runs until
    Ctrl-C; it may be stopped at any time. DATABASE_URL names another PostgreSQL (15 or newer), MUNIMENT_VAULT_URL the
    company's own vault.
    """
    os.environ["MUNIMENT_LOG"] = log
    folder = Path(home).absolute()
    with ExitStack() as stack:
        stack.enter_context(lock_home(folder))
        port, other = _choose_ports(folder, host, port, confirmation_port)
        url = os.environ.get("MUNIMENT_URL", f"http://localhost:{port}")
        service_setup.require_host(host, url)
        confirmation = os.environ.get("MUNIMENT_CONFIRMATION_URL") or _confirmation_address(url, other)
        if not once:
            click.echo(f"Muniment starts in {folder}: database, vault, web and worker")
            sys.stdout.flush()
        # As whole paths: this folder may be covered for the processes, where it is one that only root can enter.
        paths = [os.path.abspath(path) for path in repositories or _find_repository(folder)]
        prepared = stack.enter_context(service_setup.prepare_home(folder, url, paths, new_passwords=new_passwords))
        for path in paths:
            prepared.register_repository(path)
        if once:
            return prepared.evaluate_once()
        prepared.serve_until_signal(
            service_setup.ListeningAddresses(host, port, other, confirmation),
            lambda links, vault: _print_addresses(url, links, vault, prepared.separation),
        )
    return 0


def _print_addresses(url: str, links: "SignInLinks", vault: "VaultSupervisor", separation: "ProcessSeparation") -> None:
    from muniment.server.running.process_separation import describe_separation

    click.echo(f"Muniment runs at {url}")
    click.echo(describe_separation(separation))
    if links.first:
        click.echo(f"The first administrator begins here, once, within a day: {url}{links.first}")
    if links.demonstration:
        click.echo("This is a demonstration: all of its data is invented. One of its forges refuses the credential, so")
        click.echo("that you can see what follows; warnings about it are meant. Each link signs in once, within a day:")
    for name, path in links.demonstration:
        click.echo(f"  {name}: {url}{path}")
    vault.show_password()
    click.echo("Ctrl-C ends it.")
    sys.stdout.flush()


def _find_repository(home: Path) -> tuple[str, ...]:
    """Path of the repository that this folder is in; none if it is in none, and none for a demonstration."""
    from muniment.server.running.demonstration_mark import is_demonstration

    if is_demonstration(home):
        return ()
    try:
        Repository.open(".").close()
    except (GitError, UsageError):
        click.echo("no repository here: add products on their page", err=True)
        return ()
    return (".",)


@contextmanager
def lock_home(folder: Path) -> Iterator[None]:
    """Lock the home: one service each. Raises UsageError where another runs, StoreError for a folder that cannot be
    used.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder / "service.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(
            f"{folder} cannot be used ({error.strerror})", "Name another folder with --home FOLDER."
        ) from error
    try:
        # Two services on one home would both migrate its database and start its programs.
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(
            f"Muniment runs on {folder} already; nothing was done",
            f"Its address: {service_setup.read_service_url(folder) or 'not yet known'}",
        ) from None
    try:
        yield
    finally:
        os.close(handle)


def _confirmation_address(url: str, port: int) -> str:
    """Address for signing acts: the same host, another port; "" behind a proxy, for which nobody set it."""
    return "" if url.startswith("https:") else f"http://{urlsplit(url).hostname}:{port}"


def _choose_ports(folder: Path, host: str, port: int | None, confirmation_port: int | None) -> tuple[int, int]:
    """Choose the ports of the web and of the confirmation process, and store them. Raises UsageError.

    Each as given, else that of the last time if it is free, else a free one.
    """
    try:
        state = json.loads((folder / service_setup.STATE_FILE).read_text())
        wanted, other = int(state["port"]), int(state.get("confirmation_port", 0))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        wanted, other = 0, 0
    if port is not None and port == confirmation_port:
        raise UsageError("pages and confirmation have the same port", "Name another one: --confirmation-port PORT.")
    chosen = _choose_port(host, port, wanted if wanted != confirmation_port else 0)
    other = _choose_port(host, confirmation_port, other if other != chosen else 0)
    (folder / service_setup.STATE_FILE).write_text(json.dumps({"port": chosen, "confirmation_port": other}) + "\n")
    return chosen, other


def _choose_port(host: str, given: int | None, wanted: int) -> int:
    if given is not None:
        service_setup.require_free_port(given, host)
        return given
    return service_setup.find_free_port(wanted, host) or service_setup.find_free_port(0, host)
