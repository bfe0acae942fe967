"""muniment gate: whether an artifact may be deployed to an environment, decided offline from a signed permission."""

import re

import click

from muniment.cli import context, options, printing
from muniment.cli.input_files import read_input
from muniment.errors import AttestationError, UsageError
from muniment.pipelines import verification_summaries as summaries

_AGE = re.compile(r"([1-9][0-9]{0,5})([smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LARGEST = 1 << 20


@click.group()
def command() -> None:
    """Verify a signed permission to deploy, without the service (for admission controllers)."""


@command.command("verify")
@click.option("--vsa", required=True, metavar="FILE", help="The permission that muniment deploy --vsa kept.")
@click.option("--artifact", required=True, metavar="DIGEST", help="What is to run: sha256:...")
@click.option("--env", "environment", required=True, metavar="NAME", help="Where.")
@click.option(
    "--product", default="", metavar="NAME", help="Whose environment. Default: any, for a digest is one product's."
)
@click.option("--max-age", default="15m", show_default=True, metavar="AGE", help="How old it may be: 90s, 15m, 1h.")
@click.option("--key", "keys", multiple=True, required=True, metavar="FILE", help="The installation's public key.")
@options.output
def verify_permission_file(
    vsa: str, artifact: str, environment: str, product: str, max_age: str, keys: tuple[str, ...], output: str
) -> int:
    """Say whether a permission lets an artifact into an environment, offline: 0 it does, 1 it does not.

    A permission that was taken back is believed until its age runs out: choose the age by that.
    """
    if not _DIGEST.fullmatch(artifact):
        raise UsageError(f"{artifact} is no digest", "Write sha256: and 64 digits, as your registry shows it.")
    found = dict(_read_key(file) for file in keys)
    age = _parse_age(max_age)
    try:
        permission = summaries.verify_permission(
            _read_file(vsa), artifact, environment, found, age, context.current_moment(), product
        )
    except AttestationError as error:
        if output == "json":
            printing.print_json(
                {"allowed": False, "code": error.code, "message": error.message, "remedy": error.remedy}
            )
        else:
            click.echo(printing.style_text(f"denied  {printing.make_printable(error.message)}", colour="red"))
            click.echo(f"Next: {error.remedy}")
        return 1
    if output == "json":
        printing.print_json({"allowed": True, "permission": permission})
    else:
        word = printing.style_text("allowed", colour="green", bold=True)
        click.echo(f"{word}  {artifact} in {permission.product}/{environment}, as of {permission.time}")
    return 0


def _parse_age(text: str) -> int:
    found = _AGE.fullmatch(text)
    if found is None:
        raise UsageError(f"{text} is no age", "Write it as 90s, 15m or 1h.")
    return int(found[1]) * _SECONDS[found[2]]


def _read_key(file: str) -> tuple[str, str]:
    """Read a public key. Its name: that of a key of the ledger's family, or the file's for a PEM."""
    text = _read_file(file).decode("utf-8", "replace").strip()
    name = file if text.startswith("-----") else text.partition("+")[0]
    return name, text


def _read_file(file: str) -> bytes:
    return read_input(file, "Name another file.", _LARGEST + 1)
