"""muniment secret: a person writes secrets, through the service, and never reads one."""

import http.client
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import click

from muniment.cli import printing, serving
from muniment.errors import MunimentError, RefusedError, UsageError

TOKEN = "MUNIMENT_TOKEN"  # noqa: S105 -- the name of a variable

_SECONDS = 30
_HERE = ("localhost", "127.0.0.1", "::1")
_REFUSALS: dict[int, type[MunimentError]] = {
    **dict.fromkeys((401, 403, 404), RefusedError),
    **dict.fromkeys((400, 409, 422), UsageError),
}


def _where(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which environment of which service."""
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


@command.command(name="set")
@click.argument("name")
@click.option("--public", is_flag=True, help="It hides nothing: it may be short, and need not be masked.")
@_where
def set_(name: str, product: str, environment: str, url: str | None, *, public: bool) -> int:
    """Set NAME to what you type, or to what comes through standard input; it is in no argument and no history."""
    _put(url, product, environment, name, {"value": _typed(name), "public": public})
    return 0


@command.command()
@click.argument("name")
@_where
def generate(name: str, product: str, environment: str, url: str | None) -> int:
    """Set NAME, which is new, to a random value that nobody ever sees."""
    _put(url, product, environment, name, {"replace": False})
    return 0


@command.command()
@click.argument("name")
@click.option("--typed", is_flag=True, help="By a value that you type, for what another side has to know too.")
@_where
def rotate(name: str, product: str, environment: str, url: str | None, *, typed: bool) -> int:
    """Replace NAME, which is there, by a new random value."""
    _put(url, product, environment, name, {"replace": True, **({"value": _typed(name)} if typed else {})})
    return 0


@command.command()
@click.argument("name")
@_where
def remove(name: str, product: str, environment: str, url: str | None) -> int:
    """Ask for NAME to be removed: a second person agrees."""
    said = _asked(url, "DELETE", _path(product, environment, name))
    click.echo(f"{name} is removed." if said.get("done") else "It waits for a second person now.")
    return 0


@command.command(name="list")
@_where
def list_(product: str, environment: str, url: str | None) -> int:
    """Print the names, when each was set, and by whom."""
    path, below = f"{_path(product, environment, '')[:-1]}?limit=100", ""
    while True:
        said = _asked(url, "GET", path + below)
        for one in said.get("items", ()):
            click.echo(printing.plain(f"{one['changed'][:19]}  {one['by']:<20}  {one['name']}"))
        if not said.get("next"):
            return 0
        below = f"&below={said['next']}"


def _put(url: str | None, product: str, environment: str, name: str, body: dict[str, Any]) -> None:
    _asked(url, "PUT", _path(product, environment, name), body)
    click.echo(f"{name} is in the vault, for {environment} of {product}. Nobody can see it again.")


def _path(product: str, environment: str, name: str) -> str:
    where = (quote(part, "") for part in (product, environment, name))
    return "/api/products/{}/environments/{}/secrets/{}".format(*where)


def _typed(name: str) -> str:
    """The value: from a terminal without an echo, twice; else all of standard input, less its last line's end."""
    if os.isatty(0):
        return str(click.prompt(f"Value of {name}", hide_input=True, confirmation_prompt=True, err=True))
    data = sys.stdin.buffer.read()
    try:
        return data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise UsageError(
            "the value is no text", "Secrets are UTF-8 text: encode what is not, such as by base64."
        ) from None


def _token() -> str:
    found = os.environ.get(TOKEN, "")
    if not found and os.isatty(0):
        found = str(click.prompt("Your token", hide_input=True, err=True))
    if not found:
        raise UsageError("nobody says who asks", f"Set {TOKEN} to a token of yours: make it on your page.")
    return found.strip()


def _asked(url: str | None, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the service answers. Raises MunimentError with what it says against it."""
    connection = _connection(url)
    headers = {"Authorization": f"Bearer {_token()}", "Content-Type": "application/json"}
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        status, data = answer.status, answer.read(1 << 20)
        said = json.loads(data)
    except (OSError, http.client.HTTPException, ValueError):
        raise MunimentError("the service does not answer", "See that it runs, and that --url is right.") from None
    finally:
        connection.close()
    if status == 200 and isinstance(said, dict):
        return said
    detail = said.get("detail") if isinstance(said, dict) else None
    raise _REFUSALS.get(status, MunimentError)(str(detail or f"the service refuses ({status})"), "Nothing was changed.")


def _connection(url: str | None) -> http.client.HTTPConnection:
    """By TLS, or in the clear on this machine alone. Raises UsageError."""
    home = Path(os.environ.get("MUNIMENT_HOME") or Path.home() / ".local" / "share" / "muniment")
    address = url or os.environ.get("MUNIMENT_URL") or serving.url(home)
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if parts.scheme == "https" and host:
        return http.client.HTTPSConnection(host, port or 443, timeout=_SECONDS)
    if parts.scheme == "http" and host in _HERE:
        return http.client.HTTPConnection(host, port or 80, timeout=_SECONDS)
    if not address:
        raise UsageError(
            "no service is named", "Name it: --url https://muniment.example.test, or MUNIMENT_URL; here, MUNIMENT_HOME"
        )
    raise UsageError("the secret would leave this machine in the clear", "Name the service by https: --url https://...")
