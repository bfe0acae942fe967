"""muniment web: one web process, as many as wanted."""

import os
from pathlib import Path

import click

from muniment.cli import service_setup


@click.command()
@service_setup.home
@service_setup.log
@service_setup.host
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Listen here.")
@click.option("--threads", type=click.IntRange(1, 64), default=4, show_default=True, help="Requests at a time.")
def command(home: str, log: str, host: str, port: int, threads: int) -> int:
    """Run the web server; use a proxy with TLS in front of it.

    MUNIMENT_URL is the address that people type.
    """
    os.environ["MUNIMENT_LOG"] = log
    url = os.environ.get("MUNIMENT_URL", f"http://localhost:{port}")
    service_setup.require_host(host, url)
    service_setup.set_up_process(Path(home).absolute(), "web", url)
    from muniment.server.running.preparation import check_configuration, require_ready

    require_ready()
    check_configuration()
    service_setup.serve_pages("muniment.server.wsgi:application", host, port, threads)
    return 0
