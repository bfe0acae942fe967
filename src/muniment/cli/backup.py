"""muniment backup: everything of a service in one file."""

import os
from pathlib import Path

import click

from muniment.cli import serving
from muniment.errors import UsageError
from muniment.facts.counting import count_entries


@click.command()
@click.argument("file", metavar="FILE")
@serving.home
def command(file: str, home: str) -> int:
    """Back up a running service to FILE (database, ledger, keys), readable by you alone.

    Keep it where this machine's failure does not reach. It holds the ledger's key, and what the vault stored, but
    never the vault's seal key: keep a copy of keys/vault.seal somewhere else.
    """
    target = Path(file)
    if target.exists():
        raise UsageError(f"{file} is there already", "Name a new file.")
    folder = Path(home).absolute()
    serving.begin(folder, "operator", os.environ.get("MUNIMENT_URL", "http://localhost:8000"))
    from muniment.server.running.backing_up import back_up
    from muniment.server.running.preparing import require_ready

    require_ready()
    size = back_up(folder, target)
    click.echo(f"{file} holds everything, with a ledger of {count_entries(size)}")
    return 0
