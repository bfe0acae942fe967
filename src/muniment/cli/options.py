"""Options that several commands share, each declared once."""

import shlex
from collections.abc import Callable
from typing import Any

import click

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

repo: Decorator = click.option("--repo", default=".", metavar="PATH", help="The git repository. Default: this one.")
onto: Decorator = click.option(
    "--onto", metavar="BRANCH", help="The protected branch that the change is for. Default: main or master."
)
home: Decorator = click.option(
    "--home",
    metavar="DIR",
    envvar="MUNIMENT_HOME",
    help="The home whose policy, people and exceptions hold. Default: .muniment/ at the branch's tip.",
)
required_home: Decorator = click.option(
    "--home",
    metavar="DIR",
    envvar="MUNIMENT_HOME",
    required=True,
    help="The home that holds policy, people and ledger.",
)
output: Decorator = click.option(
    "--format",
    "output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="text for people, json for programs.",
)


def home_option(home: str | None) -> str:
    """The option --home as a command that is shown ends with it; "" where none was named."""
    return f" --home {shlex.quote(home)}" if home else ""


key: Decorator = click.option(
    "--key", metavar="FILE", help="SSH key to sign with. Default: git's user.signingKey, or the agent's."
)
