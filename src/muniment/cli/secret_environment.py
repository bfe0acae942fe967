"""Shared parts of `muniment run` and `muniment deploy`: their options, and a command that runs with masked secrets."""

import os
import re
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import reduce
from typing import Any, NamedTuple

import click

from muniment.cli import printing
from muniment.errors import MunimentError, RunCode, RunError, UsageError
from muniment.pipelines.service_client import ServiceReason
from muniment.vault import (
    child_environment,
    engines,
    failures,
    identity,
    layout,
    masked_command,
    secret_fetching,
    secret_files,
)
from muniment.vault.masking import Masker
from muniment.vault.variable_names import file_variable_name, is_obeyed

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
        type=click.Choice(identity.IDENTITY_KINDS),
        help="What vouches for this process. Default: whatever is there, if it is but one.",
    ),
)
_NOT_STARTED = "nothing was started"
_PRODUCT = ("GITHUB_REPOSITORY", "CI_PROJECT_NAME")


class GivenSecret(NamedTuple):
    """Secret that a command gets, and the variable that holds its value, or the path of its file."""

    name: str
    variable: str


class SecretRequest(NamedTuple):
    """Secrets that a command needs, and how it gets them. It gets no other."""

    product: str
    environment: str
    files: tuple[GivenSecret, ...]
    variables: tuple[GivenSecret, ...]
    public: tuple[str, ...]
    tmpfs: bool
    kind: str | None

    @property
    def all_secrets(self) -> tuple[GivenSecret, ...]:
        """Return all secrets that the command gets, as files or variables."""
        return self.files + self.variables


def secret_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a secret request."""
    return reduce(lambda made, option: option(made), reversed(_OPTIONS), command)


def read_secret_request(
    product: str | None, files: Sequence[str], variables: Sequence[str], public: tuple[str, ...], **others: Any
) -> SecretRequest:
    """Read the options. Raises UsageError for options that contradict each other, RunError for a refused variable."""
    named = product or next((os.environ[name].rpartition("/")[2] for name in _PRODUCT if os.environ.get(name)), "")
    if not named:
        raise UsageError("which product is this?", "Say --product NAME, or set MUNIMENT_PRODUCT.")
    as_files = tuple(_parse_given(text, file_variable_name) for text in files)
    as_variables = tuple(_parse_given(text, str) for text in variables)
    made = SecretRequest(product=named, files=as_files, variables=as_variables, public=public, **others)
    _refuse_variables(one.variable for one in made.all_secrets)
    unnamed = sorted(set(public) - {one.name for one in made.all_secrets})
    if unnamed:
        raise UsageError(f"--public {unnamed[0]}: the command does not get it", f"Name it too: --secret {unnamed[0]}")
    return made


def _parse_given(text: str, default: Callable[[str], str]) -> GivenSecret:
    """Parse NAME[=VARIABLE]. Raises UsageError for text of another form."""
    name, separator, variable = text.partition("=")
    if not separator:
        variable = default(name)
    if not all(re.fullmatch(layout.NAME_PATTERN, each) for each in (name, variable)):
        raise UsageError(
            f"{text} names no secret and variable", "Write NAME, or NAME=VARIABLE: letters, digits and underscores."
        )
    return GivenSecret(name, variable)


def _refuse_variables(variables: Iterable[str]) -> None:
    """Refuse a variable that programs obey, that the job has already, or that is named twice: no variable is
    replaced.
    """
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


class SecretEnvironment(NamedTuple):
    """Environment of a command, with the masker of its output."""

    environment: dict[str, str | bytes]
    masker: Masker

    def run_command(self, command: Sequence[str], *, undisturbed: bool = False) -> masked_command.CommandEnd:
        """Run a command. Raises RunError if it could not be started."""
        return masked_command.run_masked(
            command, self.environment, self.masker.copy_for_stream(), undisturbed=undisturbed
        )


def skip_closing() -> None:
    """Do nothing after the secrets were fetched: no service permitted this run, so no role has to be closed."""


@contextmanager
def provide_secrets(
    wish: SecretRequest, who: identity.JobIdentity, fetched: Callable[[], None]
) -> Iterator[SecretEnvironment]:
    """Fetch the secrets, and provide them to commands in this context; without a named secret, the vault is not asked.

    `fetched` is called once they were fetched, before anything is started with them. Raises RunError or UsageError, and
    then no secret was provided.
    """
    secret_files.disable_core_dumps()
    environment = dict(os.environ)
    tokens = child_environment.find_tokens(environment)
    address, ca = environment.get("MUNIMENT_VAULT_URL", ""), environment.get("MUNIMENT_VAULT_CA", "")
    place = wish.product, wish.environment
    names, namespace = {one.name for one in wish.all_secrets}, environment.get("MUNIMENT_VAULT_NAMESPACE", "")
    try:
        values = secret_fetching.fetch_named(*place, who, address, ca, names, namespace) if names else {}
    except (MunimentError, KeyboardInterrupt) as error:
        with suppress(MunimentError):  # nothing was fetched, and the vault's role admitted this job all the same
            fetched()
        if fetched is not skip_closing and isinstance(error, RunError) and failures.is_closed_role(error):
            raise _make_missing_error(*place) from None
        raise
    with say_not_started():
        fetched()
        secret_fetching.refuse_unmaskable(values, wish.public)
    masker = Masker([*values.values(), *child_environment.secret_values(tokens)])
    child_environment.overwrite_variables(tokens)
    files = {one.variable: values[one.name] for one in wish.files}
    with secret_files.provide_files(files, folder=wish.tmpfs) as paths:
        if not paths or wish.tmpfs:
            secret_files.block_inspection()
        given: dict[str, str | bytes] = {name: value for name, value in environment.items() if name not in tokens}
        given |= paths
        # as bytes, so that they are the same in any locale
        given |= {one.variable: values[one.name].encode("utf-8", "surrogatepass") for one in wish.variables}
        yield SecretEnvironment(given, masker)


def _make_missing_error(product: str, environment: str) -> RunError:
    """Error of a job that the service permitted without opening the vault's role: there is nothing to read."""
    return RunError(
        RunCode.MISSING,
        f"the service permits this job, and {environment} of {product} has no secrets; {_NOT_STARTED}",
        f"Set each: muniment secret set NAME --product {product} --env {environment}",
    )


def interrupt_on_termination() -> None:
    """Let a forge that cancels the job interrupt the waiting as Ctrl-C does, so that the request is withdrawn."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


@contextmanager
def say_not_started() -> Iterator[None]:
    """Add to a RunError that nothing was started, unless it says so."""
    try:
        yield
    except RunError as error:
        ending = "" if _NOT_STARTED in error.message else f"; {_NOT_STARTED}"
        raise RunError(error.code, error.message + ending, error.remedy) from None


def print_reason(reason: ServiceReason) -> None:
    """Print a reason that does not block."""
    click.echo(
        f"muniment: mind: {printing.make_printable(reason.message)} {printing.make_printable(reason.remedy)}", err=True
    )


def require_program(program: str) -> None:
    """Raise RunError for a program that is not installed, or where nothing masks its output: before anything is
    requested and recorded.
    """
    engines.find_engine()
    if shutil.which(program) is None:
        raise RunError(
            RunCode.COMMAND_NOT_FOUND,
            f"{program} cannot be started: there is no such program here",
            "Check that it is installed, executable and on PATH. Nothing was fetched.",
        )
