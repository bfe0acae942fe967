"""Shared parts of the commands of the service. Django is imported only here, and only once one of them runs."""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import click

from muniment.cli import printing
from muniment.errors import DatabaseError, HttpCode, HttpError, UsageError
from muniment.http.client import HttpClient
from muniment.server.routes import SIGN_IN

if TYPE_CHECKING:
    from muniment.cli.vault_process import VaultSupervisor
    from muniment.server.running.embedded_postgres import EmbeddedPostgres
    from muniment.server.running.process_separation import ProcessSeparation

UNFINISHED_FILE = "restore.unfinished"  # in a home whose restore did not come to its end
STATE_FILE = "service.json"  # in the home of a service, and in no other

_ANSWER_SECONDS = 120  # of the first page, which loads the program: on a busy machine it takes a while


_ROOT_HOME = "/var/lib/muniment"  # not below /root: the account that runs PostgreSQL for root cannot enter that


def default_home() -> str:
    """The home of a service that no option names: MUNIMENT_HOME, or one for each account. Raises UsageError."""
    named = os.environ.get("MUNIMENT_HOME")
    if named:
        return named
    if os.geteuid() == 0:
        return _ROOT_HOME
    try:
        return str(Path.home() / ".local" / "share" / "muniment")
    except RuntimeError as error:  # neither HOME nor an entry among the accounts
        remedy = "Name a folder for the service: --home DIR, or MUNIMENT_HOME."
        raise UsageError("this account has no home folder", remedy) from error


home = click.option(
    "--home",
    metavar="DIR",
    default=default_home,
    show_default=f"~/.local/share/muniment; for root {_ROOT_HOME}",
    help="The folder with the service's keys and database.",
)


log = click.option(
    "--log",
    type=click.Choice(["text", "json"]),
    default=lambda: os.environ.get("MUNIMENT_LOG", "text"),
    show_default="text",
    help="Logs for people, or for programs.",
)


host = click.option(
    "--host",
    type=click.Choice(("127.0.0.1", "0.0.0.0", "::")),  # noqa: S104 -- chosen by the operator, and require_host refuses
    default="127.0.0.1",
    show_default=True,
    help="Listen to this machine only, or on all of its addresses: MUNIMENT_URL is then https, or localhost.",
)


def require_host(host: str, url: str) -> None:
    """Raise UsageError if passwords would cross a network unencrypted."""
    parts = urlsplit(url)
    if host != "127.0.0.1" and parts.scheme != "https" and parts.hostname != "localhost":
        raise UsageError(
            f"with --host {host}, passwords would cross the network unencrypted",
            "Put a proxy with TLS in front, and set MUNIMENT_URL to its address: https://muniment.example.test",
        )


def read_service_url(folder: Path) -> str:
    """Address of a service that was started by itself; "" if it never was, or not since it was restored."""
    try:
        port = json.loads((folder / STATE_FILE).read_text())["port"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return f"http://localhost:{port}" if port else ""


def set_up_process(folder: Path, role: str, url: str, settings: str = "muniment.server.settings") -> None:
    """Set this process up as one part of the service, and remove the temporary files that killed processes left.

    Raises ParseError for a setting that is wrong, DatabaseError for another database than that of the home.
    """
    from muniment.programs.temporary_files import remove_abandoned_folders
    from muniment.server.running.django_setup import set_up_django
    from muniment.server.running.home_database import require_same_kind, use_stored_address
    from muniment.server.setting_checks import check_environment

    if role == "operator":
        use_stored_address(folder, os.environ)
    check_environment({**os.environ, "MUNIMENT_URL": url})
    require_same_kind(folder, os.environ)
    remove_abandoned_folders()
    os.environ["MUNIMENT_HOME"] = str(folder)
    os.environ["MUNIMENT_ROLE"] = role
    os.environ["MUNIMENT_URL"] = url
    if role not in ("owner", "operator"):  # it would go before the login's own
        os.environ.pop("PGPASSWORD", None)
    set_up_django(settings)


class SignInLinks(NamedTuple):
    """Paths of links that sign in once: of the first administrator, "" once one can sign in, and of people of a
    demonstration, each with a name.
    """

    first: str
    demonstration: tuple[tuple[str, str], ...]


class ListeningAddresses(NamedTuple):
    """Where `up` has the pages, and where dangerous acts are signed: a port of its own, and the address of that."""

    host: str
    port: int
    confirmation_port: int
    confirmation_url: str


class PreparedHome:
    """Home whose database runs and is up to date."""

    def __init__(self, folder: Path, url: str, tend: Callable[[], None], separation: "ProcessSeparation") -> None:
        self._folder = folder
        self._url = url
        self._tend = tend
        self.separation = separation
        self._registered: list[int] = []

    def register_repository(self, path: str) -> None:
        """Register a repository for evaluation, as a product of its own if it is new. Raises UsageError if it is
        none.
        """
        from muniment.server.running.preparation import register_repository

        self._registered.append(register_repository(path).pk)

    def fill_demonstration(self, progress: Callable[[int, int], None], *, large: bool) -> int:
        """Fill the home with the demonstration company; the number of its events. `progress` is called after each, with
        their numbers.
        """
        from muniment.server.running.demonstration import KeptConnections, fill_demonstration

        connections = KeptConnections("operator")
        try:
            return fill_demonstration(self._folder, connections.switch_role, progress, large=large)
        finally:
            connections.close_connections()

    def serve_until_signal(
        self, listening: ListeningAddresses, tell: "Callable[[SignInLinks, VaultSupervisor], None]"
    ) -> None:
        """Run vault, web, confirmation, sequencer, worker and eraser until a signal. `tell` is called once pages are
        answered.
        """
        from muniment.cli import vault_process
        from muniment.server.running.database_settings import URL_VARIABLE, strip_credentials
        from muniment.server.running.django_setup import close_django_connections
        from muniment.server.running.operator_login import listen_for_commands
        from muniment.server.running.preparation import check_configuration, make_demonstration_links, make_first_link
        from muniment.server.running.process_system_accounts import VAULT
        from muniment.server.running.process_tree import ProcessTree, call_on_end, extend_environment

        links = SignInLinks(make_first_link(), make_demonstration_links())
        close_django_connections()
        common = extend_environment(
            MUNIMENT_HOME=str(self._folder),
            MUNIMENT_URL=self._url,
            MUNIMENT_CONFIRMATION_URL=listening.confirmation_url,
        )
        if URL_VARIABLE in common:
            common[URL_VARIABLE] = strip_credentials(common[URL_VARIABLE])  # the owner's password stays here
        accounts = self.separation.accounts
        vault_account = accounts[VAULT].account_ids if accounts else None
        with ProcessTree(common, accounts) as tree:
            call_on_end(tree.request_end)
            pages = [("--home", str(self._folder)), ("--host", listening.host)]
            tree.start_process("web", [*pages, ("--port", str(listening.port))], {})
            check_configuration()  # while it loads: it looks by itself too, before it serves
            # The vault starts at the same time, and ends last: the other processes need it until they end.
            with (
                listen_for_commands(self._folder, os.environ) as passwords,
                vault_process.run_vault(self._folder, vault_account) as vault,
                tree,
            ):
                if not wait_until_answered(listening.port):
                    click.echo(f"No page was answered within {_ANSWER_SECONDS} seconds: wait a moment.", err=True)
                tell(links, vault)
                tree.start_process("confirmation", [*pages, ("--port", str(listening.confirmation_port))], {})
                tree.start_process("sequencer", [("--home", str(self._folder))], {})
                tree.start_process("worker", [("--home", str(self._folder))], {})  # it would hold the pages up
                tree.start_process("eraser", [("--home", str(self._folder))], {})
                tend = [self._tend, vault.restart_if_ended, *([passwords.answer_requests] if passwords else [])]
                tree.watch_processes(*tend)

    def evaluate_once(self) -> int:
        """Evaluate every registered repository in this process, and print the results."""
        from muniment.server.changes import history_summary, tasks
        from muniment.server.products.models import Repository
        from muniment.server.records.sequencer import assign_positions
        from muniment.server.running.preparation import check_configuration, switch_role

        check_configuration()
        for number in self._registered:
            switch_role("worker")
            tasks.evaluate_history_task(number)
            switch_role("sequencer")
            while assign_positions():
                pass
            switch_role("worker")
            for line in history_summary.format_history_summary(Repository.objects.get(pk=number)):
                click.echo(printing.make_printable(line))
        return 0


def find_free_port(port: int, host: str = "127.0.0.1") -> int:
    """Find a port on which nothing listens here: this one, or any for 0. Returns 0 if it is in use."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return 0
        number: int = probe.getsockname()[1]
        return number


def require_free_port(port: int, host: str) -> None:
    """Raise UsageError if another program listens on this port."""
    if not find_free_port(port, host):
        raise UsageError(
            f"port {port} cannot be listened on: it is in use, or this account may not use it",
            "Name another port: --port PORT. Which program uses it says: ss -ltnp",
        )


def serve_pages(application: str, host: str, port: int, threads: int) -> None:
    """Serve a WSGI application, by its import name, until a signal. Raises UsageError for a port that is in use."""
    require_free_port(port, host)
    from muniment.server.running.process_parent import PARENT

    os.environ[PARENT] = str(os.getpid())
    from granian.constants import Interfaces
    from granian.log import LogLevels
    from granian.server import Server

    Server(
        application,
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        blocking_threads=threads,
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
    ).serve()


def wait_until_answered(port: int, seconds: float = _ANSWER_SECONDS) -> bool:
    """Wait until the web process answers the sign-in page; whether it did. It prints its own errors on the terminal.

    An open port is not enough: the server listens before it has loaded the program.
    """
    client, end = HttpClient(f"http://127.0.0.1:{port}", seconds=seconds), time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            client.request("GET", SIGN_IN)
        except HttpError as error:
            if error.code is HttpCode.REDIRECTED:  # to https, which a proxy serves
                return True
            time.sleep(0.05)
        else:
            return True
    return False


def _do_nothing() -> None: ...


def _create_reviver(server: "EmbeddedPostgres") -> Callable[[], None]:
    """Create a function that starts the database again if it was ended. A failure is tried again a moment later."""

    def revive_database() -> None:
        with suppress(DatabaseError):
            server.restart_if_ended()

    return revive_database


@contextmanager
def prepare_home(
    folder: Path, url: str, repositories: Sequence[str] = (), *, new_passwords: bool = False
) -> Iterator[PreparedHome]:
    """Prepare the home: its folder, its database, its schema. Raises StoreError or DatabaseError.

    `repositories`: whole paths, which the processes are to reach.
    """
    from muniment.server.running import database_settings, home_database
    from muniment.server.running.home_owners import assign_files
    from muniment.server.running.installation_folder import make_installation_folder
    from muniment.server.running.process_separation import separate_processes

    if (folder / UNFINISHED_FILE).exists():
        raise UsageError(
            f"the restore into {folder} did not come to its end", "Remove the folder, and restore the backup again."
        )
    home_database.require_same_kind(folder, os.environ)
    home_database.require_database_present(folder, os.environ)
    with ExitStack() as stack:
        make_installation_folder(folder)
        separation = separate_processes(folder, repositories, os.environ)
        tend: Callable[[], None] = _do_nothing
        if not os.environ.get(database_settings.URL_VARIABLE):
            tend = _create_reviver(stack.enter_context(database_settings.embedded_server(folder)))
        set_up_process(folder, "owner", url)
        from muniment.server.running import preparation

        preparation.require_reachable()
        home_database.require_database_filled(folder)
        preparation.migrate_schema(new_passwords=new_passwords)
        home_database.require_own_ledger(folder)
        address = database_settings.strip_credentials(os.environ.get(database_settings.URL_VARIABLE, ""))
        home_database.store_kind(folder, home_database.read_kind(os.environ), address)
        preparation.switch_role("operator")  # nothing else is done as the owner of the schema
        preparation.apply_first_policy()
        if separation.accounts:
            assign_files(folder, separation.accounts)
        yield PreparedHome(folder, url, tend, separation)
