"""Publish the rules of a home again, after a command changed it."""

import click

from muniment.cli import printing
from muniment.store.files import FilesStore
from muniment.workflows.publish_rules import publish_everywhere


def publish(home: FilesStore) -> None:
    """Publish to every repository that has the home's hook, and say where that failed: the change itself holds."""
    for why in publish_everywhere(home):
        click.echo(
            f"The rules were not published to {printing.plain(why)}. Run: muniment hook install --home DIR", err=True
        )
