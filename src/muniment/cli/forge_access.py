"""Connection to a forge that a command names by the address of a repository there. The token is in no option."""

import os
import sys
from collections.abc import Callable
from typing import NamedTuple

import click

from muniment.cli import context
from muniment.errors import UsageError
from muniment.forges.forge import Forge
from muniment.forges.forge_connection import Connection, connect_forge, find_forge
from muniment.forges.shapes import ForgeRepository, ListedRepository

FORGE_TOKEN_VARIABLE = "MUNIMENT_FORGE_TOKEN"  # noqa: S105 - the name of a variable
NAME_VARIABLE = "MUNIMENT_FORGE_NAME"


class RepositoryAccess(NamedTuple):
    """Repository at a forge, with the connection to it."""

    connection: Connection
    forge: Forge
    listed: ListedRepository


def open_forge_repository(url: str, *, asks: bool = True) -> RepositoryAccess:
    """Connect to the repository whose page has this address. Raises UsageError or ForgeError.

    `asks`: ask for a token on a terminal, if there is none. Otherwise what is public is read without one.
    """
    vendor, root, path = find_forge(url)
    connection = Connection(vendor, root, os.environ.get(NAME_VARIABLE, vendor.value))
    forge = connect_forge(connection, _read_token(asks=asks), context.current_moment)
    return RepositoryAccess(connection, forge, forge.reader.read_repository(path))


def connect_to_forge(url: str) -> tuple[Connection, Forge]:
    """Connect to a forge, by its own address or that of any page there."""
    vendor, root, _ = find_forge(url if url.strip("/").count("/") > 3 else f"{url.rstrip('/')}/any/thing")
    connection = Connection(vendor, root, os.environ.get(NAME_VARIABLE, vendor.value))
    return connection, connect_forge(connection, _read_token(), context.current_moment)


def resolve_branch_ref(repository: ForgeRepository, onto: str | None) -> str:
    """Full ref of the named branch, else of the repository's default branch."""
    if onto is None:
        return repository.default
    return onto if onto.startswith("refs/") else f"refs/heads/{onto}"


def has_token() -> bool:
    """Whether the environment has a token."""
    return bool(os.environ.get(FORGE_TOKEN_VARIABLE))


def _read_token(*, asks: bool = True) -> Callable[[], str]:
    """Read the token from the environment or the terminal. No option takes it: other users of the machine see those."""
    token = os.environ.get(FORGE_TOKEN_VARIABLE, "")
    if not token and asks and sys.stdin.isatty():
        token = click.prompt("Token that may read (Enter for none)", default="", hide_input=True, show_default=False)
    if not token.isprintable() or " " in token:
        raise UsageError("this is no token", f"Put one that may read into {FORGE_TOKEN_VARIABLE}.")
    return lambda: token
