"""muniment confirmation: the process where people sign dangerous acts."""

import os
from pathlib import Path

import click

from muniment.cli import service_setup


@click.command()
@service_setup.home
@service_setup.log
@service_setup.host
@click.option("--port", type=click.IntRange(1, 65535), default=8001, show_default=True, help="Listen here.")
def command(home: str, log: str, host: str, port: int) -> int:
    """Show requests that wait for a signature, and take signatures, on this machine alone.

    Use a proxy with TLS in front of it. MUNIMENT_CONFIRMATION_URL is the address that people type: another port than
    that of MUNIMENT_URL, or a host below it. Nobody signs in here, no cookie is read, and no other page can frame it.
    """
    os.environ["MUNIMENT_LOG"] = log
    url = os.environ.get("MUNIMENT_URL", "http://localhost:8000")
    os.environ.setdefault("MUNIMENT_CONFIRMATION_URL", f"http://localhost:{port}")
    service_setup.require_host(host, os.environ["MUNIMENT_CONFIRMATION_URL"] or url)
    service_setup.set_up_process(
        Path(home).absolute(), "confirmation", url, settings="muniment.server.confirmation_settings"
    )
    service_setup.serve_pages("muniment.server.confirmation.wsgi:application", host, port, 2)
    return 0
