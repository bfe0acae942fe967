"""muniment worker: one process that judges, as many as wanted."""

import os
from pathlib import Path

import click

from muniment.cli import serving


@click.command()
@serving.home
@serving.log
@click.option("--at-once", type=click.IntRange(1, 64), default=3, show_default=True, help="Tasks at a time.")
def command(home: str, log: str, at_once: int) -> int:
    """Run a worker: background jobs such as evaluations."""
    os.environ["MUNIMENT_LOG"] = log
    serving.begin(Path(home).absolute(), "worker", os.environ.get("MUNIMENT_URL", "http://localhost:8000"))
    from muniment.server.running.preparing import require_ready
    from muniment.server.running.working import run

    require_ready()
    run(at_once, Path(home).absolute(), alone=not os.environ.get("DATABASE_URL"))
    return 0
