"""muniment sequencer: the process that gives records their place in the ledger and signs for them."""

import os
from pathlib import Path

import click

from muniment.cli import serving


@click.command()
@serving.home
@serving.log
def command(home: str, log: str) -> int:
    """Run the sequencer: append records to the ledger, and sign it.

    One is enough; a second one takes over where the first ends. It needs keys/ledger.key, and nothing else does.
    """
    os.environ["MUNIMENT_LOG"] = log
    url = os.environ.get("MUNIMENT_URL", "http://localhost:8000")
    serving.begin(Path(home).absolute(), "sequencer", url, settings="muniment.server.sequencer_settings")
    from muniment.server.records.sequencer import run

    run()
    return 0
