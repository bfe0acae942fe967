"""muniment link: a sign-in link for a person who lost their password and passkey, made on the machine itself."""

import os
from pathlib import Path

import click

from muniment.cli import service_setup


@click.command()
@click.argument("person", metavar="ID")
@service_setup.home
def command(person: str, home: str) -> int:
    """Create a sign-in link for one person, valid once and for a day. It is recorded.

    For an administrator who lost password and passkey. All others get theirs from an administrator's page. For somebody
    who has a second factor or a role it is an incident: everybody with a role is notified, and for a day no approval of
    the person counts.
    """
    folder = Path(home).absolute()
    address = os.environ.get("MUNIMENT_URL") or service_setup.read_service_url(folder)
    service_setup.set_up_process(folder, "operator", address or "http://localhost:8000")
    from muniment.server.running.preparation import make_sign_in_link

    path = make_sign_in_link(person)
    if address:
        click.echo(f"{address.rstrip('/')}{path}")
    else:
        click.echo(path)
        click.echo("Put the address of the service before it. MUNIMENT_URL names that address.", err=True)
    return 0
