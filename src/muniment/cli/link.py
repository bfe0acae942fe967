"""muniment link: a new way in for somebody who lost theirs, made on the machine itself."""

import os
from pathlib import Path

import click

from muniment.cli import serving


@click.command()
@click.argument("person", metavar="ID")
@serving.home
def command(person: str, home: str) -> int:
    """Make a link that lets somebody in once, within a day, while the service runs; it is recorded.

    For an administrator who lost password and passkey. All others get theirs from an administrator's page.
    """
    serving.begin(Path(home).absolute(), "owner", os.environ.get("MUNIMENT_URL", "http://localhost:8000"))
    from muniment.server.running.preparing import link_for

    click.echo(f"The address of the service, followed by: {link_for(person)}")
    return 0
