"""muniment eraser: the process that deletes personal data stored outside the ledger."""

import os
from pathlib import Path

import click

from muniment.cli import service_setup


@click.command()
@service_setup.home
@service_setup.log
def command(home: str, log: str) -> int:
    """Delete personal data whose erasure two people approved, or whose retention period is over.

    One process is enough; it needs no key.
    """
    os.environ["MUNIMENT_LOG"] = log
    service_setup.set_up_process(
        Path(home).absolute(), "eraser", os.environ.get("MUNIMENT_URL", "http://localhost:8000")
    )
    from muniment.server.running.eraser_process import run_eraser
    from muniment.server.running.preparation import require_ready

    require_ready()
    run_eraser()
    return 0
