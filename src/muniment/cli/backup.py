"""muniment backup: everything of a service in one file."""

import os
from pathlib import Path

import click

from muniment.cli import printing, service_setup
from muniment.errors import UsageError
from muniment.facts.counting import count_entries


@click.command()
@click.argument("file", metavar="FILE")
@service_setup.home
def command(file: str, home: str) -> int:
    """Back up a running service to FILE (database, ledger, keys), readable by you alone.

    Keep it on another machine. It holds the ledger's key, and what the vault stored, but
    never the vault's seal key: keep a copy of keys/vault.seal somewhere else.
    """
    target = Path(file)
    if target.exists():
        raise UsageError(f"{file} is there already", "Name a new file.")
    folder = Path(home).absolute()
    service_setup.set_up_process(folder, "operator", os.environ.get("MUNIMENT_URL", "http://localhost:8000"))
    from muniment.server.running.backup_and_restore import note_backup, write_backup
    from muniment.server.running.preparation import require_ready

    require_ready()
    size = write_backup(folder, target)
    note_backup(size)
    click.echo(printing.make_printable(f"{file} holds everything, with a ledger of {count_entries(size)}"))
    return 0
