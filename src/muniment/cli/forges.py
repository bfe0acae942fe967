"""A forge that a command names by the address of a repository there, spoken to with a token that no line holds."""

import os
import sys
from collections.abc import Callable
from typing import NamedTuple

import click

from muniment.cli import scene
from muniment.errors import UsageError
from muniment.forges.connecting import Connection, connect, found_at
from muniment.forges.forge import Forge
from muniment.forges.shapes import Listed, Repo

VARIABLE = "MUNIMENT_FORGE_TOKEN"
NAMED = "MUNIMENT_FORGE_NAME"


class At(NamedTuple):
    """A repository at a forge."""

    connection: Connection
    forge: Forge
    listed: Listed


def at(url: str) -> At:
    """The repository whose page has this address. Raises UsageError or ForgeError."""
    vendor, root, path = found_at(url)
    connection = Connection(vendor, root, os.environ.get(NAMED, vendor.value))
    forge = connect(connection, _token(), scene.now)
    return At(connection, forge, forge.reader.repository(path))


def forge(url: str) -> tuple[Connection, Forge]:
    """The forge itself, by its own address or that of any page there."""
    vendor, root, _ = found_at(url if url.strip("/").count("/") > 3 else f"{url.rstrip('/')}/any/thing")
    connection = Connection(vendor, root, os.environ.get(NAMED, vendor.value))
    return connection, connect(connection, _token(), scene.now)


def branch(repository: Repo, onto: str | None) -> str:
    """The full ref of a branch that a person named, else of the repository's default one."""
    if onto is None:
        return repository.default
    return onto if onto.startswith("refs/") else f"refs/heads/{onto}"


def _token() -> Callable[[], str]:
    """The token, from the environment or typed; it is in no option, for others see those."""
    token = os.environ.get(VARIABLE, "")
    if not token and sys.stdin.isatty():
        token = click.prompt("Token that may read (Enter for none)", default="", hide_input=True, show_default=False)
    if not token.isprintable() or " " in token:
        raise UsageError("this is no token", f"Put one that may read into {VARIABLE}.")
    return lambda: token
