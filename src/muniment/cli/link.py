"""muniment link: a new way in for somebody who lost theirs, made on the machine itself."""

import os
from pathlib import Path

import click

from muniment.cli import serving


@click.command()
@click.argument("person", metavar="ID")
@serving.home
def command(person: str, home: str) -> int:
    """Create a sign-in link for one person, valid once and for a day. It is recorded.

    For an administrator who lost password and passkey. All others get theirs from an administrator's page.
    For somebody who has a second factor or a role it is an incident: everybody with a role is told, and for a day
    nothing counts that the person approves.
    """
    folder = Path(home).absolute()
    address = os.environ.get("MUNIMENT_URL") or serving.url(folder)
    serving.begin(folder, "operator", address or "http://localhost:8000")
    from muniment.server.running.preparing import link_for

    path = link_for(person)
    if address:
        click.echo(f"{address.rstrip('/')}{path}")
    else:
        click.echo(path)
        click.echo("Put the address of the service before it. MUNIMENT_URL names that address.", err=True)
    return 0
