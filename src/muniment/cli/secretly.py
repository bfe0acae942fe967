"""What `muniment run` and `muniment deploy` share: their options, and a command run with secrets that nobody sees."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import Any, NamedTuple

import click

from muniment.errors import RunCode, RunError, UsageError
from muniment.vault import fetching, handing, identity, running, stripping
from muniment.vault.masking import Masker

_OPTIONS = (
    click.option("--env", "environment", required=True, metavar="NAME", help="The environment, such as production."),
    click.option("--product", metavar="NAME", envvar="MUNIMENT_PRODUCT", help="Default: the repository's name, in CI."),
    click.option("--file", "files", multiple=True, metavar="NAME", help="Hand over this secret as a file: NAME_FILE."),
    click.option(
        "--variable", "variables", multiple=True, metavar="NAME", help="Hand over this secret as the variable NAME."
    ),
    click.option("--variables", "all_variables", is_flag=True, help="Hand over all secrets as variables."),
    click.option("--public", multiple=True, metavar="NAME", help="Too short to be masked, and anybody may see it."),
    click.option("--tmpfs", is_flag=True, help="Files in a folder of a tmpfs, for programs that cannot open /proc."),
    click.option(
        "--identity",
        "kind",
        type=click.Choice(identity.KINDS),
        help="What vouches for this process. Default: whatever is there, if it is but one.",
    ),
)
_PRODUCT = ("GITHUB_REPOSITORY", "CI_PROJECT_NAME")


class Wish(NamedTuple):
    """What secrets are for, and how they are handed over. No names: all of them."""

    product: str
    environment: str
    files: tuple[str, ...]
    variables: tuple[str, ...]
    all_variables: bool
    public: tuple[str, ...]
    tmpfs: bool
    kind: str | None


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a wish."""
    return reduce(lambda made, option: option(made), reversed(_OPTIONS), command)


def wish(product: str | None, **others: Any) -> Wish:
    """From the options. Raises UsageError if the product is not said."""
    named = product or next((os.environ[name].rpartition("/")[2] for name in _PRODUCT if os.environ.get(name)), "")
    if not named:
        raise UsageError("which product is this?", "Say --product NAME, or set MUNIMENT_PRODUCT.")
    return Wish(product=named, **others)


class Ready(NamedTuple):
    """What commands get, and what masks what they print."""

    environment: dict[str, str | bytes]
    masker: Masker

    def run(self, command: Sequence[str], *, undisturbed: bool = False) -> running.Ended:
        """Run one. Raises RunError if it could not be started."""
        return running.run(command, self.environment, self.masker.again(), undisturbed=undisturbed)


@contextmanager
def ready(wish: Wish, who: identity.Identity) -> Iterator[Ready]:
    """The secrets, fetched and handed over while this lasts. Raises RunError or UsageError, and then there are none."""
    handing.no_core_dumps()
    environment = dict(os.environ)
    kept = stripping.tokens(environment)
    address, ca = environment.get("MUNIMENT_VAULT_URL", ""), environment.get("MUNIMENT_VAULT_CA", "")
    values = fetching.fetched(wish.product, wish.environment, who, address, ca)
    fetching.checked(values, (*wish.files, *wish.variables), wish.public)
    masker = Masker([*values.values(), *stripping.secret(kept)])
    stripping.forget(kept)
    files, variables = _shared_out(values, wish)
    with handing.as_files(files, folder=wish.tmpfs) as paths:
        if not paths or wish.tmpfs:
            handing.unwatched()
        given: dict[str, str | bytes] = {name: value for name, value in environment.items() if name not in kept}
        given |= {f"{name}_FILE": path for name, path in paths.items()}
        given |= {name: value.encode("utf-8", "surrogatepass") for name, value in variables.items()}  # in any locale
        yield Ready(given, masker)


def _shared_out(values: Mapping[str, str], wish: Wish) -> tuple[dict[str, str], dict[str, str]]:
    """Those that become files, and those that become variables: the named ones, or else all."""
    files, variables = set(wish.files), set(wish.variables)
    if wish.all_variables:
        variables |= set(values) - files
    elif not files | variables:
        files = set(values)
    return {n: v for n, v in values.items() if n in files}, {n: v for n, v in values.items() if n in variables}


def installed(program: str) -> None:
    """Raises RunError before anything is fetched for a program that is not there."""
    if shutil.which(program) is None:
        raise RunError(
            RunCode.COMMAND_NOT_FOUND,
            f"{program} cannot be started: there is no such program here",
            "See that it is installed, is executable, and stands on PATH. Nothing was fetched.",
        )
