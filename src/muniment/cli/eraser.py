"""muniment eraser: the process that deletes personal data stored outside the ledger."""

import os
from pathlib import Path

import click

from muniment.cli import serving


@click.command()
@serving.home
@serving.log
def command(home: str, log: str) -> int:
    """Delete personal data: what two people had erased, and what a retention rule says is over.

    One is enough; it needs no key.
    """
    os.environ["MUNIMENT_LOG"] = log
    serving.begin(Path(home).absolute(), "eraser", os.environ.get("MUNIMENT_URL", "http://localhost:8000"))
    from muniment.server.running.erasing import run
    from muniment.server.running.preparing import require_ready

    require_ready()
    run()
    return 0
