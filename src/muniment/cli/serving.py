"""What the commands of the service share. Django is imported only here, and only once one of them runs."""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from muniment.cli import printing
from muniment.errors import DatabaseError, UsageError

if TYPE_CHECKING:
    from muniment.cli.vaulting import Supervisor
    from muniment.server.running.embedded import Embedded
    from muniment.server.running.separation import Separation

UNFINISHED = "restore.unfinished"  # in a home whose restore did not come to its end
STATE = "service.json"  # in the home of a service, and in no other

_OPEN_SECONDS = 20


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


def url(folder: Path) -> str:
    """The address of a service that was started by itself; "" if it never was, or not since it was restored."""
    try:
        port = json.loads((folder / STATE).read_text())["port"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return f"http://localhost:{port}" if port else ""


def begin(folder: Path, role: str, url: str, settings: str = "muniment.server.settings") -> None:
    """Set this process up as one part of the service, and remove what killed ones left among temporary files.

    Raises ParseError for a setting that cannot be meant, DatabaseError for another database than that of the home.
    """
    from muniment.programs.temporary import remove_abandoned_folders
    from muniment.server.running.django_setup import set_up_django
    from muniment.server.running.home_database import require_same_kind, use_written_address
    from muniment.server.setting_checks import check_settings

    if role == "operator":
        use_written_address(folder, os.environ)
    check_settings({**os.environ, "MUNIMENT_URL": url})
    require_same_kind(folder, os.environ)
    remove_abandoned_folders()
    os.environ["MUNIMENT_HOME"] = str(folder)
    os.environ["MUNIMENT_ROLE"] = role
    os.environ["MUNIMENT_URL"] = url
    if role != "owner":  # they would go before the login's own
        os.environ.pop("PGPASSWORD", None)
    set_up_django(settings)


class Prepared:
    """A home whose database runs and is up to date."""

    def __init__(self, folder: Path, url: str, tend: Callable[[], None], separation: "Separation") -> None:
        self._folder = folder
        self._url = url
        self._tend = tend
        self.separation = separation
        self._registered: list[int] = []

    def register(self, path: str) -> None:
        """Have a repository judged, as a product of its own if it is new. Raises UsageError if it is none."""
        from muniment.server.running.preparing import register

        self._registered.append(register(path).pk)

    def serve(self, port: int, confirmation: tuple[int, str], tell: "Callable[[str, Supervisor], None]") -> None:
        """Vault, web, confirmation, sequencer, worker and eraser, until a signal.

        `confirmation` is the port of the process where dangerous acts are signed, and its address.
        """
        from muniment.cli import vaulting
        from muniment.server.running.accounts import VAULT
        from muniment.server.running.database import URL_VARIABLE, without_credentials
        from muniment.server.running.django_setup import close_connections
        from muniment.server.running.preparing import check, first_link
        from muniment.server.running.processes import Tree, environment, on_end

        link = first_link()
        close_connections()
        common = environment(
            MUNIMENT_HOME=str(self._folder), MUNIMENT_URL=self._url, MUNIMENT_CONFIRMATION_URL=confirmation[1]
        )
        if URL_VARIABLE in common:
            common[URL_VARIABLE] = without_credentials(common[URL_VARIABLE])  # the owner's password stays here
        accounts = self.separation.accounts
        vault_account = accounts[VAULT].ids if accounts else None
        with Tree(common, accounts) as tree:
            on_end(tree.end)
            tree.start("web", [("--home", str(self._folder)), ("--port", str(port))], {})
            check()  # while it loads: it looks by itself too, before it serves
            # The vault starts beside them, and outlives them.
            with vaulting.supervised(self._folder, vault_account) as vault, tree:
                _until_open(port)
                tell(link, vault)
                tree.start("confirmation", [("--home", str(self._folder)), ("--port", str(confirmation[0]))], {})
                tree.start("sequencer", [("--home", str(self._folder))], {})
                tree.start("worker", [("--home", str(self._folder))], {})  # it would hold the pages up
                tree.start("eraser", [("--home", str(self._folder))], {})
                tree.watch(self._tend, vault.tend)

    def once(self) -> int:
        """Judge everything here and now, and print what came of it."""
        from muniment.server.changes import summary, tasks
        from muniment.server.products.models import Repository
        from muniment.server.records.sequencer import give_places
        from muniment.server.running.preparing import become, check

        check()
        for number in self._registered:
            become("worker")
            tasks.judge_past(number)
            become("sequencer")
            while give_places():
                pass
            become("worker")
            for line in summary.lines(Repository.objects.get(pk=number)):
                click.echo(printing.plain(line))
        return 0


def _until_open(port: int) -> None:
    """Until the web process listens; what it complains of stands on the terminal."""
    end = time.monotonic() + _OPEN_SECONDS
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return


def _nothing() -> None:
    """Nothing."""


def _tending(server: "Embedded") -> Callable[[], None]:
    """Has the database started again if it was ended; what fails is tried again a moment later."""

    def tend() -> None:
        with suppress(DatabaseError):
            server.revive()

    return tend


@contextmanager
def prepared(
    folder: Path, url: str, repositories: Sequence[str] = (), *, new_passwords: bool = False
) -> Iterator[Prepared]:
    """The home made ready: its folder, its database, its schema. Raises StoreError or DatabaseError.

    `repositories`: whole paths, which the processes are to reach.
    """
    from muniment.server.running import database, home_database
    from muniment.server.running.folder import make_folder
    from muniment.server.running.home_owners import give_files
    from muniment.server.running.separation import separate_processes

    if (folder / UNFINISHED).exists():
        raise UsageError(
            f"the restore into {folder} did not come to its end", "Remove the folder, and restore the backup again."
        )
    home_database.require_same_kind(folder, os.environ)
    home_database.require_present(folder, os.environ)
    with ExitStack() as stack:
        make_folder(folder)
        separation = separate_processes(folder, repositories, os.environ)
        tend: Callable[[], None] = _nothing
        if not os.environ.get(database.URL_VARIABLE):
            tend = _tending(stack.enter_context(database.embedded(folder)))
        begin(folder, "owner", url)
        from muniment.server.running import preparing

        preparing.reachable()
        home_database.require_filled(folder)
        preparing.migrate(new_passwords=new_passwords)
        home_database.require_own_ledger(folder)
        address = database.without_credentials(os.environ.get(database.URL_VARIABLE, ""))
        home_database.write_mark(folder, home_database.kind_of(os.environ), address)
        preparing.become("operator")  # nothing else is done as the owner of the schema
        preparing.first_policy()
        if separation.accounts:
            give_files(folder, separation.accounts)
        yield Prepared(folder, url, tend, separation)
