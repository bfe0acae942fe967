"""muniment restore: a service from its backup, proven before it may run."""

import json
import os
import shlex
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from muniment.cli import printing, service_setup
from muniment.errors import LedgerError, StoreError, UsageError
from muniment.facts.counting import count_entries
from muniment.store import durable_files

if TYPE_CHECKING:
    from muniment.store.erasure_list import ErasureLine


@click.command()
@click.argument("file", metavar="FILE")
@service_setup.home
@click.option("--erasures", "listed", metavar="FILE", help="The list that `muniment erasures` printed last.")
@click.option(
    "--no-erasures-since", "since", metavar="DATE", help="You confirm that no person was erased since that day."
)
def command(file: str, home: str, listed: str | None, since: str | None) -> int:
    """Restore a backup into a new home, and verify its whole ledger.

    The content of its vault is restored, but not the key that opens it: copy your keys/vault.seal there. People who
    were erased since the backup are erased again. Their list is stored next to the copy of the checkpoint, or given by
    --erasures. Without a list, state that nobody was erased: --no-erasures-since. If the ledger is older than its copy
    outside, it stays unsigned until a person accepts it: muniment ledger reconcile. If it does not verify, the home is
    not used: exit code 3.
    """
    folder = Path(home).absolute()
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{home} is not empty", "Name a new folder with --home FOLDER.")
    if os.environ.get("DATABASE_URL"):
        raise UsageError("a restore makes a database of its own", "Unset DATABASE_URL; move the database afterwards.")
    from muniment.server.guarding.database_roles import OWNER
    from muniment.server.running import database_settings
    from muniment.server.running.backup_file import MANIFEST, VAULT_ENTRY, read_backup, restore_database
    from muniment.server.running.process_separation import separate_processes
    from muniment.vault.embedded_vault import SEAL_FILE

    parts = read_backup(Path(file))
    lines = _read_erasures(parts[MANIFEST], folder, listed, since)
    _write_files(folder, parts)
    separate_processes(folder, (), os.environ)  # the database's account has to reach the home
    with database_settings.embedded_server(folder) as server:
        restore_database(parts, server.make_variables(OWNER))
        found = _complete_database(folder, lines)
    (folder / service_setup.UNFINISHED_FILE).unlink()
    (folder / service_setup.STATE_FILE).write_text('{"port": 0}\n')
    click.echo(
        f"{home}: a ledger of {count_entries(found.size)}, each of them what was signed; "
        f"{found.erased_objects} objects erased again"
    )
    click.echo(f"{found.erased_people} people erased again, of {len(lines)} on the list of erasures")
    _print_next_steps(home, found, seal_file=SEAL_FILE if VAULT_ENTRY in parts else "")
    return 0


class _RestoredService(NamedTuple):
    """Content of a restored database. `waits` is why its ledger signs nothing.

    `unnamed` are the paths of repositories that the service reads only once the operator named them.
    """

    size: int
    erased_objects: int
    erased_people: int
    waits: str
    unnamed: tuple[str, ...]


def _complete_database(folder: Path, lines: "frozenset[ErasureLine]") -> _RestoredService:
    """Bring the restored database up to date, erase again, and verify. Raises LedgerError for another ledger."""
    service_setup.set_up_process(folder, "owner", os.environ.get("MUNIMENT_URL", "http://localhost:8000"))
    from muniment.server.running import backup_and_restore, preparation

    preparation.migrate_schema()
    from muniment.server.people.person_erasure import erase_restored_persons

    objects, people = backup_and_restore.repeat_erasures(), erase_restored_persons(lines)
    backup_and_restore.end_restored_sessions()
    unnamed = backup_and_restore.release_repositories()
    try:
        size, waits = backup_and_restore.verify_ledger_and_rows(), backup_and_restore.find_signing_problem()
    except LedgerError:
        (folder / service_setup.STATE_FILE).unlink(missing_ok=True)
        raise
    preparation.close_start_connections()
    return _RestoredService(size, objects, people, waits, unnamed)


def _write_files(folder: Path, parts: Mapping[str, bytes]) -> None:
    """Write the files of a backup into the new home, which is marked as unfinished."""
    from muniment.server.running.backup_file import VAULT_ENTRY
    from muniment.server.running.installation_folder import make_installation_folder
    from muniment.vault import store_copy

    (folder / "keys").mkdir(mode=0o700, parents=True)
    for name in ("keys/ledger.key", "keys/ledger.pub"):
        durable_files.write_file(folder / name, parts[name], 0o600 if name.endswith(".key") else 0o644)
    make_installation_folder(folder)
    (folder / service_setup.UNFINISHED_FILE).touch()
    if VAULT_ENTRY in parts:
        store_copy.restore_store(folder, parts[VAULT_ENTRY])


def _print_next_steps(home: str, found: _RestoredService, *, seal_file: str) -> None:
    """Print what a person does now: `seal_file` is the key that a vault needs."""
    if seal_file:
        click.echo(f"The vault cannot be opened yet: bring its seal key to {home}/{seal_file}, from where you keep it.")
    if found.waits:
        click.echo(f"It waits for a person: {found.waits}")
    folders = ""
    if found.unnamed:
        click.echo(
            "It reads repositories at the paths below: bring each there before the start. If one lies elsewhere now,"
        )
        click.echo("name that folder instead, then correct the path on the page Settings of its product.")
        folders = f"MUNIMENT_REPOSITORY_FOLDERS={printing.make_printable(shlex.quote(':'.join(found.unnamed)))} "
    click.echo(f"Next: {folders}muniment up --home {home}")
    if found.waits:
        click.echo(f"While it runs, find out why, then: muniment ledger reconcile --home {home} --reason TEXT")
    if seal_file:
        click.echo(
            "While it runs, have the vault know this home's new keys, with your own vault credential: "
            f"muniment vault apply --home {home}"
        )
    click.echo(
        "Everybody signs in anew. Passkeys work as before; codes by app and recovery codes do not. While the service"
    )
    click.echo(f"runs, make a link for each person who has no passkey: muniment link PERSON --home {home}")
    click.echo("Each such link opens an incident, and what that person approves does not count for a day.")


def _read_erasures(manifest: bytes, folder: Path, listed: str | None, since: str | None) -> "frozenset[ErasureLine]":
    """Read every erasure that the copy outside, an option or the backup names.

    Raises UsageError where it is unknown who was erased since the backup, StoreError for a list that cannot be read.
    """
    from muniment.store.erasure_list import LIST_NAME, parse_list
    from muniment.store.external_copy import open_external_copy

    found = json.loads(manifest)
    own, where = parse_list(found["erasures"].encode()), found["external_copy"]
    if listed is not None:
        try:
            data: bytes | None = Path(listed).read_bytes()
        except OSError as error:
            raise UsageError(f"{listed} cannot be read ({error.strerror})", "Name the list of erasures.") from error
    else:
        try:
            data = open_external_copy(where, folder, LIST_NAME).read_copy() if where else None
        except StoreError:  # it may be lost with the machine: then a person's word counts
            if since is None:
                raise
            data = None
    if data is not None:
        lines = parse_list(data)
        if not own <= lines:
            raise UsageError("the list of erasures is older than the backup, or another one's", "Take the newest list.")
        return lines
    if since is None:
        raise UsageError(
            "nobody can tell who was erased since the backup: there is no list of erasures",
            "Give --erasures FILE, or, if you know that there was none, --no-erasures-since DATE.",
        )
    try:
        day = date.fromisoformat(since).isoformat()
    except ValueError as error:
        raise UsageError(f"{since} is no day", "Write it like 2026-01-31.") from error
    if day > found["time"][:10]:
        raise UsageError(f"the backup is of {found['time'][:10]}, before that day", "Say it of the time since then.")
    return own
