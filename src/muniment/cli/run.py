"""muniment run: a command with the secrets that it names, which are masked in its output."""

import os
from typing import Any

import click

from muniment.cli import secret_environment
from muniment.cli.run_request import request_job_secrets
from muniment.errors import UsageError
from muniment.vault.identity import find_identity
from muniment.vault.masked_command import exit_like


@click.command()
@secret_environment.secret_options
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND...")
def command(command: tuple[str, ...], **chosen: Any) -> int:
    """Run a command in a pipeline with the secrets that --secret and --file name, and mask them in what it prints.

    They are fetched once, with the identity that the forge gave this job. The command gets no other secret, and none
    replaces a variable that the job has. The exit code is the command's. If anything is wrong, the command is not
    started, and the exit code is one of 200 to 219: docs/guides/pipeline-secrets.md. MUNIMENT_VAULT_URL is the
    address of the vault, MUNIMENT_URL that of Muniment's service, which permits the run and records it.
    """
    secret_environment.require_program(command[0])
    wish = secret_environment.read_secret_request(**chosen)
    if not wish.all_secrets:
        raise UsageError("no secret is named", "Name each that the command needs: --secret NAME")
    who, url = find_identity(os.environ, wish.kind), os.environ.get("MUNIMENT_URL", "").rstrip("/")
    fetched = secret_environment.skip_closing
    if url:
        secret_environment.interrupt_on_termination()
        with secret_environment.say_not_started():
            fetched = request_job_secrets(url, wish.product, wish.environment, who, secret_environment.print_reason)
    with secret_environment.provide_secrets(wish, who, fetched) as ready:
        ended = ready.run_command(command)
    return exit_like(ended)
