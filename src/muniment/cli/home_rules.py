"""Publish the rules of a home again, after a command changed it."""

import click

from muniment.cli import printing
from muniment.store.files_store import FilesStore
from muniment.workflows.publish_rules import publish_everywhere


def publish_home_rules(home: FilesStore) -> None:
    """Publish the rules to every repository that has the home's hook, and print where that failed: the change itself is
    kept.
    """
    for why in publish_everywhere(home):
        click.echo(
            f"The rules were not published to {printing.make_printable(why)}. Run: muniment hook install --home DIR",
            err=True,
        )
