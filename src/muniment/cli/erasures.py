"""muniment erasures: the list that a restore needs, so that no erased person's data comes back."""

import os
from pathlib import Path

import click

from muniment.cli import service_setup


@click.command()
@service_setup.home
def command(home: str) -> int:
    """Print the list of erasures: a salt and a commitment for each, and no name.

    Keep it outside this machine, anew after each erasure: muniment restore needs it. If home.toml names a place for the
    copy of the checkpoint, the list is stored there too.
    """
    service_setup.set_up_process(
        Path(home).absolute(), "operator", os.environ.get("MUNIMENT_URL", "http://localhost:8000")
    )
    from muniment.server.records.erasure_lists import read_erasures
    from muniment.server.running.preparation import require_ready
    from muniment.store.erasure_list import format_list

    require_ready()
    click.echo(format_list(read_erasures()), nl=False)
    return 0
