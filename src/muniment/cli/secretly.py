"""What `muniment run` and `muniment deploy` share: their options, and a command run with secrets that nobody sees."""

import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import Any, NamedTuple

import click

from muniment.cli import printing
from muniment.errors import RunCode, RunError, UsageError
from muniment.pipelines.service import Reason
from muniment.vault import fetching, handing, identity, layout, running, stripping
from muniment.vault.masking import Masker
from muniment.vault.variable_names import file_variable, is_obeyed

_OPTIONS = (
    click.option("--env", "environment", required=True, metavar="NAME", help="The environment, such as production."),
    click.option("--product", metavar="NAME", envvar="MUNIMENT_PRODUCT", help="Default: the repository's name, in CI."),
    click.option(
        "--secret",
        "variables",
        multiple=True,
        metavar="NAME[=VARIABLE]",
        help="Give the command this secret, as the variable NAME or VARIABLE.",
    ),
    click.option(
        "--file",
        "files",
        multiple=True,
        metavar="NAME[=VARIABLE]",
        help="Give the command this secret as a file, whose path is in NAME_FILE or VARIABLE.",
    ),
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


class GivenSecret(NamedTuple):
    """A secret that a command gets, and the variable that holds its value, or the path of its file."""

    name: str
    variable: str


class Wish(NamedTuple):
    """Whose secrets a command needs, and how they are given to it. It gets no other."""

    product: str
    environment: str
    files: tuple[GivenSecret, ...]
    variables: tuple[GivenSecret, ...]
    public: tuple[str, ...]
    tmpfs: bool
    kind: str | None

    @property
    def given(self) -> tuple[GivenSecret, ...]:
        """All secrets that the command gets."""
        return self.files + self.variables


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a wish."""
    return reduce(lambda made, option: option(made), reversed(_OPTIONS), command)


def wish(
    product: str | None, files: Sequence[str], variables: Sequence[str], public: tuple[str, ...], **others: Any
) -> Wish:
    """Read the options. Raises UsageError for options that contradict each other, RunError for a refused variable."""
    named = product or next((os.environ[name].rpartition("/")[2] for name in _PRODUCT if os.environ.get(name)), "")
    if not named:
        raise UsageError("which product is this?", "Say --product NAME, or set MUNIMENT_PRODUCT.")
    as_files = tuple(_read_given(text, file_variable) for text in files)
    as_variables = tuple(_read_given(text, str) for text in variables)
    made = Wish(product=named, files=as_files, variables=as_variables, public=public, **others)
    _refuse_variables(one.variable for one in made.given)
    unnamed = sorted(set(public) - {one.name for one in made.given})
    if unnamed:
        raise UsageError(f"--public {unnamed[0]}: the command does not get it", f"Name it too: --secret {unnamed[0]}")
    return made


def _read_given(text: str, default: Callable[[str], str]) -> GivenSecret:
    """Read NAME[=VARIABLE]. Raises UsageError for what is no name."""
    name, separator, variable = text.partition("=")
    if not separator:
        variable = default(name)
    if not all(re.fullmatch(layout.NAME_PATTERN, each) for each in (name, variable)):
        raise UsageError(
            f"{text} names no secret and variable", "Write NAME, or NAME=VARIABLE: letters, digits and underscores."
        )
    return GivenSecret(name, variable)


def _refuse_variables(variables: Iterable[str]) -> None:
    """Refuse a variable that programs obey, that the job has already, or that is named twice: nothing is replaced."""
    seen: set[str] = set()
    for variable in variables:
        if is_obeyed(variable):
            raise RunError(
                RunCode.VARIABLE_REFUSED,
                f"{variable} is a variable that programs obey: no secret may set it; nothing was started",
                "Use another variable: --secret NAME=VARIABLE",
            )
        if variable in os.environ:
            raise RunError(
                RunCode.VARIABLE_REFUSED,
                f"this job has a variable {variable} already, and no secret replaces it; nothing was started",
                "Use another variable: --secret NAME=VARIABLE. Or take the variable out of the pipeline file.",
            )
        if variable in seen:
            raise UsageError(f"{variable} is named twice", "Give each secret a variable of its own: NAME=VARIABLE.")
        seen.add(variable)


class Ready(NamedTuple):
    """What commands get, and what masks what they print."""

    environment: dict[str, str | bytes]
    masker: Masker

    def run(self, command: Sequence[str], *, undisturbed: bool = False) -> running.Ended:
        """Run one. Raises RunError if it could not be started."""
        return running.run(command, self.environment, self.masker.again(), undisturbed=undisturbed)


def no_more() -> None:
    """What follows the fetching of secrets where nobody permitted it for this run alone: nothing."""


@contextmanager
def ready(wish: Wish, who: identity.Identity, fetched: Callable[[], None]) -> Iterator[Ready]:
    """Fetch the secrets and hand them over while this lasts; without a named secret, the vault is not asked.

    `fetched` is called once they were fetched, before anything is started with them. Raises RunError or UsageError, and
    then nothing was handed over.
    """
    handing.no_core_dumps()
    environment = dict(os.environ)
    kept = stripping.tokens(environment)
    address, ca = environment.get("MUNIMENT_VAULT_URL", ""), environment.get("MUNIMENT_VAULT_CA", "")
    place = wish.product, wish.environment
    names, namespace = {one.name for one in wish.given}, environment.get("MUNIMENT_VAULT_NAMESPACE", "")
    values = fetching.fetch_named(*place, who, address, ca, names, namespace) if names else {}
    fetched()
    fetching.refuse_unmaskable(values, wish.public)
    masker = Masker([*values.values(), *stripping.secret(kept)])
    stripping.forget(kept)
    files = {one.variable: values[one.name] for one in wish.files}
    with handing.as_files(files, folder=wish.tmpfs) as paths:
        if not paths or wish.tmpfs:
            handing.unwatched()
        given: dict[str, str | bytes] = {name: value for name, value in environment.items() if name not in kept}
        given |= paths
        # as bytes, so that they are the same in any locale
        given |= {one.variable: values[one.name].encode("utf-8", "surrogatepass") for one in wish.variables}
        yield Ready(given, masker)


def print_reason(reason: Reason) -> None:
    """Print what does not stand in the way, but should be known."""
    click.echo(f"muniment: mind: {printing.plain(reason.message)} {printing.plain(reason.remedy)}", err=True)


def installed(program: str) -> None:
    """Raises RunError before anything is fetched for a program that is not there."""
    if shutil.which(program) is None:
        raise RunError(
            RunCode.COMMAND_NOT_FOUND,
            f"{program} cannot be started: there is no such program here",
            "Check that it is installed, executable and on PATH. Nothing was fetched.",
        )
