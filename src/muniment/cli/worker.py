"""muniment worker: one process for background jobs, as many as wanted."""

import os
from pathlib import Path

import click

from muniment.cli import service_setup


@click.command()
@service_setup.home
@service_setup.log
@click.option("--at-once", type=click.IntRange(1, 64), default=3, show_default=True, help="Tasks at a time.")
def command(home: str, log: str, at_once: int) -> int:
    """Run a worker: background jobs such as evaluations."""
    os.environ["MUNIMENT_LOG"] = log
    service_setup.set_up_process(
        Path(home).absolute(), "worker", os.environ.get("MUNIMENT_URL", "http://localhost:8000")
    )
    from muniment.server.running.preparation import require_ready
    from muniment.server.running.worker_process import run_worker

    require_ready()
    run_worker(at_once, Path(home).absolute(), alone=not os.environ.get("DATABASE_URL"))
    return 0
