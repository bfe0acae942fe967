"""muniment restore: a service from its backup, proven before it may run."""

import json
import os
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from muniment.cli import serving
from muniment.errors import LedgerError, StoreError, UsageError
from muniment.store import durable

if TYPE_CHECKING:
    from muniment.store.erasure_list import ErasureLine


@click.command()
@click.argument("file", metavar="FILE")
@serving.home
@click.option("--erasures", "listed", metavar="FILE", help="The list that `muniment erasures` printed last.")
@click.option(
    "--no-erasures-since", "since", metavar="DATE", help="No person was erased since that day: you know this."
)
def command(file: str, home: str, listed: str | None, since: str | None) -> int:
    """Restore a backup into a new home, and verify its whole ledger.

    What its vault had stored comes back, but not the key that opens it: you bring that yourself.
    People who were erased since the backup are erased again. Who they are says the list that lies beside the copy of
    the checkpoint, or --erasures; without a list, a person has to say that there is nobody: --no-erasures-since.
    If the ledger is older than its copy outside, it stays unsigned until a person
    looks at it: muniment ledger reconcile. If it does not verify, the home is not used: exit code 3.
    """
    folder = Path(home).absolute()
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{home} is not empty", "Name a new folder with --home DIR.")
    if os.environ.get("DATABASE_URL"):
        raise UsageError("a restore makes a database of its own", "Unset DATABASE_URL; move the database afterwards.")
    from muniment.server.guarding.database_roles import OWNER
    from muniment.server.running import database
    from muniment.server.running.folder import make_folder
    from muniment.server.running.separation import separate_processes
    from muniment.server.running.unpacking import MANIFEST, VAULT, put_back, unpacked
    from muniment.vault import store
    from muniment.vault.embedded import SEAL

    parts = unpacked(Path(file))
    lines = _read_erasures(parts[MANIFEST], folder, listed, since)
    (folder / "keys").mkdir(mode=0o700, parents=True)
    for name in ("keys/ledger.key", "keys/ledger.pub"):
        durable.write(folder / name, parts[name], 0o600 if name.endswith(".key") else 0o644)
    make_folder(folder)
    (folder / serving.UNFINISHED).touch()
    if VAULT in parts:
        store.put_back(folder, parts[VAULT])
    separate_processes(folder, (), os.environ)  # the database's account has to reach the home
    with database.embedded(folder) as server:
        put_back(parts, server.variables(OWNER))
        serving.begin(folder, "owner", os.environ.get("MUNIMENT_URL", "http://localhost:8000"))
        from muniment.server.running import backing_up, preparing

        preparing.migrate()
        from muniment.server.people.erasing import erase_restored

        erased, people = backing_up.erase_again(), erase_restored(lines)
        backing_up.end_sessions()
        try:
            size = backing_up.proven()
            waits = backing_up.outrun()
        except LedgerError:
            (folder / serving.STATE).unlink(missing_ok=True)
            raise
        preparing.connections_closed()
    (folder / serving.UNFINISHED).unlink()
    (folder / serving.STATE).write_text('{"port": 0}\n')
    click.echo(f"{home}: a ledger of {size} entries, each of them what was signed; {erased} objects erased again")
    click.echo(f"{people} people erased again, of {len(lines)} on the list of erasures")
    if VAULT in parts:
        click.echo(f"The vault cannot be opened yet: bring its seal key to {home}/{SEAL}, from where you keep it.")
    if waits:
        click.echo(f"It waits for a person: {waits}")
    click.echo(f"Next: muniment up --home {home}")
    if waits:
        click.echo(f"While it runs, find out why, then: muniment ledger reconcile --home {home} --reason TEXT")
    if VAULT in parts:
        click.echo(
            "While it runs, have the vault know this home's new keys, with your own vault credential: "
            f"muniment vault apply --home {home}"
        )
    click.echo(
        "Everybody signs in anew. Passkeys work as before; codes by app and recovery codes do not. While the service"
    )
    click.echo(f"runs, make a link for each person who has no passkey: muniment link PERSON --home {home}")
    click.echo("Each such link opens an incident, and what that person approves does not count for a day.")
    return 0


def _read_erasures(manifest: bytes, folder: Path, listed: str | None, since: str | None) -> "frozenset[ErasureLine]":
    """Every erasure that a person or the copy outside knows of, and those that the backup holds. Raises UsageError
    where nobody can tell who was erased since the backup, StoreError for a list that cannot be read.
    """
    from muniment.store.erasure_list import NAME, read_list
    from muniment.store.outside import outside

    found = json.loads(manifest)
    own, where = read_list(found["erasures"].encode()), found["external_copy"]
    if listed is not None:
        try:
            data: bytes | None = Path(listed).read_bytes()
        except OSError as error:
            raise UsageError(f"{listed} cannot be read ({error.strerror})", "Name the list of erasures.") from error
    else:
        try:
            data = outside(where, folder, NAME).read() if where else None
        except StoreError:  # it may be lost with the machine: then a person's word counts
            if since is None:
                raise
            data = None
    if data is not None:
        lines = read_list(data)
        if not own <= lines:
            raise UsageError("the list of erasures is older than the backup, or another one's", "Take the newest list.")
        return lines
    if since is None:
        raise UsageError(
            "nobody can tell who was erased since the backup: there is no list of erasures",
            "Give --erasures FILE, or, if you know that there was none, --no-erasures-since DATE.",
        )
    try:
        said = date.fromisoformat(since).isoformat()
    except ValueError as error:
        raise UsageError(f"{since} is no day", "Write it like 2026-01-31.") from error
    if said > found["time"][:10]:
        raise UsageError(f"the backup is of {found['time'][:10]}, before that day", "Say it of the time since then.")
    return own
