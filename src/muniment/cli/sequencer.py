"""muniment sequencer: the process that gives records their place in the ledger and signs for them."""

import os
from pathlib import Path

import click

from muniment.cli import service_setup


@click.command()
@service_setup.home
@service_setup.log
def command(home: str, log: str) -> int:
    """Run the sequencer: append records to the ledger, and sign it.

    One process is enough; a second one takes over when the first ends. It alone needs keys/ledger.key.
    """
    os.environ["MUNIMENT_LOG"] = log
    url = os.environ.get("MUNIMENT_URL", "http://localhost:8000")
    service_setup.set_up_process(Path(home).absolute(), "sequencer", url, settings="muniment.server.sequencer_settings")
    from muniment.server.records.sequencer import run_sequencer

    run_sequencer()
    return 0
