"""muniment secret: a person writes secrets, through the service, and never reads one."""

import os
import shlex
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import click
from msgspec import Struct

from muniment.cli import printing
from muniment.cli.input_files import STANDARD_INPUT, read_input
from muniment.cli.service_requests import ask_service, read_pages
from muniment.errors import UsageError
from muniment.vault.dotenv import read_dotenv
from muniment.vault.variable_names import find_obeyed_variable

_LARGEST_FILE = 1 << 20  # bytes of a .env file


def _environment_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that name the service, product and environment."""
    for option in (
        click.option("--env", "environment", required=True, metavar="ENVIRONMENT", help="Such as production."),
        click.option("--product", required=True, metavar="PRODUCT", help="Its id, such as shop."),
        click.option("--url", metavar="URL", help="The service. Default: MUNIMENT_URL, or the one of this machine."),
    ):
        function = option(function)
    return function


@click.group()
def command() -> None:
    """Write the secrets of an environment. Only its pipelines read them; you see names and ages.

    It takes a token of your own from MUNIMENT_TOKEN, or asks for one: make it on your page, with the scopes
    set-secret, see-secrets and remove-secret.
    """


@command.command("set")
@click.argument("name")
@click.option("--public", is_flag=True, help="The value is not secret: it may be short, and need not be masked.")
@_environment_options
def set_secret_value(name: str, product: str, environment: str, url: str | None, *, public: bool) -> int:
    """Set NAME to what you type, or to all bytes of standard input; it is in no argument and no history.

    A line break at the end is part of the value: `printf %s` writes none, `echo` does. It prints the size, and which
    parts of the value are masked on their own, by their keys.
    """
    _refuse_obeyed(name)
    _put_secret(url, product, environment, name, {"value": _read_value(name), "public": public})
    return 0


@command.command("generate")
@click.argument("name")
@_environment_options
def generate_secret(name: str, product: str, environment: str, url: str | None) -> int:
    """Set a new NAME to a random value that nobody ever sees."""
    _refuse_obeyed(name)
    _put_secret(url, product, environment, name, {"replace": False})
    return 0


@command.command("rotate")
@click.argument("name")
@click.option("--typed", is_flag=True, help="Type the new value, if another system has to know it too.")
@_environment_options
def rotate_secret(name: str, product: str, environment: str, url: str | None, *, typed: bool) -> int:
    """Replace the existing NAME by a new random value."""
    _put_secret(url, product, environment, name, {"replace": True, **({"value": _read_value(name)} if typed else {})})
    return 0


@command.command("remove")
@click.argument("name")
@_environment_options
def request_secret_removal(name: str, product: str, environment: str, url: str | None) -> int:
    """Request the removal of NAME: a second person approves it."""
    answer = ask_service(url, "DELETE", _secret_path(product, environment, name))
    click.echo(f"{name} is removed." if answer.get("done") else "It waits for a second person now.")
    return 0


@command.command()
@click.argument("name")
@click.option(
    "--version", type=click.IntRange(1), help="The number of a version that `list` prints. Default: the one before."
)
@_environment_options
def rollback(name: str, product: str, environment: str, url: str | None, *, version: int | None) -> int:
    """Use an earlier version of NAME again. Nobody sees its value."""
    body = {} if version is None else {"version": version}
    ask_service(url, "POST", f"{_secret_path(product, environment, name)}/rollback", body)
    click.echo(f"{name} is rolled back, for {environment} of {product}. Pipelines get the earlier value from now on.")
    return 0


@command.command()
@click.argument("name")
@_environment_options
def restore(name: str, product: str, environment: str, url: str | None) -> int:
    """Undo the removal of NAME, within a day of it."""
    ask_service(url, "POST", f"{_secret_path(product, environment, name)}/restoration")
    click.echo(f"{name} is in the vault again, for {environment} of {product}.")
    return 0


@command.command("list")
@_environment_options
def print_secrets(product: str, environment: str, url: str | None) -> int:
    """Print the names, when each was set, by whom, and the numbers of earlier versions that can be rolled back to."""
    for one in _read_secrets(url, product, environment):
        others = ", ".join(str(each) for each in one.versions if each != one.version)
        earlier = f"  (other versions: {others})" if others else ""
        click.echo(printing.make_printable(f"{one.changed[:19]}  {one.set_by or '':<20}  {one.name}{earlier}"))
    return 0


@command.command("import")
@click.argument("file")
@click.option("--replace", is_flag=True, help="Replace those that are in the vault already, too.")
@_environment_options
def import_secrets(file: str, product: str, environment: str, url: str | None, *, replace: bool) -> int:
    """Set every name of FILE, a .env file or - for standard input, and print the names; no value is printed.

    The file is read whole before anything is sent. $NAME in a value stays as it is. Delete the file afterwards.
    """
    values = _read_dotenv(file)
    there = _list_names(url, product, environment)
    known = sorted(set(values) & there)
    if known and not replace:
        raise UsageError(
            f"{', '.join(known)} in the vault already; nothing was set", "Say --replace, or take them out of the file."
        )
    for name, value in values.items():
        _put_secret(url, product, environment, name, {"value": value, "replace": name in there})
    deleted = "" if file == STANDARD_INPUT else f"shred -u {shlex.quote(file)}. "
    click.echo(printing.make_printable(f"Next: {deleted}If it was ever in a repository, rotate what it held."))
    return 0


@command.command(name="from-forge")
@click.argument("repository", metavar="URL")
@click.option("--delete", "deletes", is_flag=True, help="Then delete the secrets at the forge that are in the vault.")
@click.option("--yes", is_flag=True, help="Do not ask again before deleting.")
@_environment_options
def from_forge(repository: str, product: str, environment: str, url: str | None, *, deletes: bool, yes: bool) -> int:
    """Show the steps that bring the secrets of the repository at URL from its forge to the vault.

    A forge shows names and no values: type each value, or have a new one generated. With --delete, the names that are
    in the vault are deleted at the forge, after a question. MUNIMENT_FORGE_TOKEN is a token that may read the names,
    and with --delete delete them. Secrets of an organisation, a group or an environment stay at the forge: the plan
    shows the command. Exit code 1 while the forge stores any.
    """
    from muniment.cli import forge_access, forge_secrets

    there = forge_access.open_forge_repository(repository)
    names = forge_secrets.read_secret_names(there)
    in_vault = _list_names(url, product, environment) if names else set[str]()
    click.echo(f"{len(names)} secrets at the forge, {len(set(names) & in_vault)} of them in the vault")
    for line in forge_secrets.plan_move(there, names, in_vault, f"--product {product} --env {environment}"):
        click.echo(line)
    found = [name for name in names if name in in_vault]
    if not deletes or not found:
        return 1 if names else 0
    listed = printing.make_printable(", ".join(found))
    if not yes:
        click.confirm(f"Delete {len(found)} at the forge, for good: {listed}?", abort=True, err=True)
    left = len(names) - len(found)
    for name, why in forge_secrets.delete_secrets(there, found):
        left += bool(why)
        click.echo(printing.make_printable(f"not deleted: {name} ({why})" if why else f"deleted at the forge: {name}"))
    return 1 if left else 0


def _read_dotenv(file: str) -> dict[str, str]:
    """The names and values of a file, each fit to be set. Raises UsageError, and nothing was sent."""
    data = read_input(file, "Name a .env file.", _LARGEST_FILE + 1)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise UsageError(f"{file} is no text", "Name a .env file, in UTF-8.") from None
    if len(data) > _LARGEST_FILE:
        raise UsageError(f"{file} is larger than {_LARGEST_FILE} bytes", "Name a .env file.")
    values = read_dotenv(text)
    if not values:
        raise UsageError(f"{file} names nothing", "Write NAME=VALUE, one a line.")
    for name, value in values.items():
        _refuse_obeyed(name)
        if not value:
            raise UsageError(f"{name} has no value; nothing was set", "Take it out of the file.")
    return values


class _ListedSecret(Struct, frozen=True):
    name: str
    changed: str
    set_by: str | None
    version: int | None = None
    versions: tuple[int, ...] = ()


def _read_secrets(url: str | None, product: str, environment: str) -> Iterator[_ListedSecret]:
    return read_pages(url, _secret_path(product, environment, "")[:-1], _ListedSecret)


def _list_names(url: str | None, product: str, environment: str) -> set[str]:
    """Names of the secrets that are in the vault."""
    return {one.name for one in _read_secrets(url, product, environment)}


def _refuse_obeyed(name: str) -> None:
    """Refuse a name by which a secret could take over a job, before a value is typed. The service refuses it too."""
    if obeyed := find_obeyed_variable(name):
        raise UsageError(
            f"programs obey the variable {obeyed}, so no secret may set it",
            "Use another name; the pipeline file can say which variable gets it: --secret NAME=VARIABLE",
        )


def _put_secret(url: str | None, product: str, environment: str, name: str, body: dict[str, object]) -> None:
    answer = ask_service(url, "PUT", _secret_path(product, environment, name), body)
    click.echo(f"{name} is in the vault, for {environment} of {product}. No person can read it.")
    if isinstance(answer.get("bytes"), int):
        ends = "; it ends with a line break" if answer.get("ends_with_line_break") else ""
        click.echo(f"lines: {answer.get('lines')}, bytes: {answer['bytes']}{ends}")
    masked = answer.get("masked")
    for path in masked if isinstance(masked, list) else ():
        click.echo(printing.make_printable(f"masked on its own, too: {path}"))


def _secret_path(product: str, environment: str, name: str) -> str:
    where = (quote(part, "") for part in (product, environment, name))
    return "/api/products/{}/environments/{}/secrets/{}".format(*where)


def _read_value(name: str) -> str:
    """Read the value: from a terminal twice and without an echo, else all of standard input."""
    if os.isatty(0):
        return str(click.prompt(f"Value of {name}", hide_input=True, confirmation_prompt=True, err=True))
    data = sys.stdin.buffer.read()
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise UsageError(
            "the value is no text", "Secrets are UTF-8 text: encode what is not, such as by base64."
        ) from None
