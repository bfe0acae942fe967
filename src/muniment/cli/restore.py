"""muniment restore: a service from its backup, proven before it may run."""

import os
from pathlib import Path

import click

from muniment.cli import serving
from muniment.errors import LedgerError, UsageError
from muniment.store import durable


@click.command()
@click.argument("file", metavar="FILE")
@serving.home
def command(file: str, home: str) -> int:
    """Make a home out of a backup, in a new folder, and verify its whole ledger.

    What its vault had stored comes back, but not the key that opens it: you bring that yourself.
    What was erased is erased again. If the ledger is older than its copy outside, it stays unsigned until a person
    looks at it: muniment ledger reconcile. If it does not verify, the home is not used: exit code 3.
    """
    folder = Path(home).absolute()
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{home} is not empty", "Name a new folder with --home DIR.")
    if os.environ.get("DATABASE_URL"):
        raise UsageError("a restore makes a database of its own", "Unset DATABASE_URL; move the database afterwards.")
    from muniment.server.running import database
    from muniment.server.running.database_roles import OWNER
    from muniment.server.running.folder import make_folder
    from muniment.server.running.unpacking import VAULT, put_back, unpacked
    from muniment.vault import store
    from muniment.vault.embedded import SEAL

    parts = unpacked(Path(file))
    (folder / "keys").mkdir(mode=0o700, parents=True)
    for name in ("keys/ledger.key", "keys/ledger.pub"):
        durable.write(folder / name, parts[name], 0o600 if name.endswith(".key") else 0o644)
    make_folder(folder)
    if VAULT in parts:
        store.put_back(folder, parts[VAULT])
    with database.embedded(folder) as server:
        put_back(parts, server.variables(OWNER))
        serving.begin(folder, "owner", os.environ.get("MUNIMENT_URL", "http://localhost:8000"))
        from muniment.server.running import backing_up, preparing

        preparing.migrate()
        erased = backing_up.erase_again()
        backing_up.end_sessions()
        try:
            size = backing_up.proven()
            waits = backing_up.outrun()
        except LedgerError:
            (folder / serving.STATE).unlink(missing_ok=True)
            raise
        preparing.connections_closed()
    (folder / serving.STATE).write_text('{"port": 0}\n')
    click.echo(f"{home}: a ledger of {size} entries, each of them what was signed; {erased} objects erased again")
    if VAULT in parts:
        click.echo(f"The vault cannot be opened yet: bring its seal key to {home}/{SEAL}, from where you keep it.")
        click.echo("Then, with your own vault credential, have it know this home's new keys: muniment vault apply")
    click.echo("Everybody signs in anew. Passkeys work as before, codes by app do not: for people without a passkey,")
    click.echo(f"run: muniment link PERSON --home {home}")
    if waits:
        click.echo(f"It waits for a person: {waits}")
        click.echo(f"Next: start it, find out why, then run: muniment ledger reconcile --home {home}")
    else:
        click.echo(f"Next: muniment up --home {home}")
    return 0
