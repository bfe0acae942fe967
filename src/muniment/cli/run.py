"""muniment run: a command with the secrets that it names, which nobody sees."""

import os
from typing import Any

import click

from muniment.cli import secretly
from muniment.cli.requesting import request_run
from muniment.errors import UsageError
from muniment.vault.identity import found
from muniment.vault.running import leave


@click.command()
@secretly.options
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND...")
def command(command: tuple[str, ...], **chosen: Any) -> int:
    """Run a command in a pipeline with the secrets that --secret and --file name, and mask them in what it prints.

    They are fetched once, with the identity that the forge gave this job. The command gets no other secret, and none
    replaces a variable that the job has. The exit code is the command's. If anything is wrong, the command is not
    started, and the exit code is one of 200 to 219: docs/guides/pipeline-secrets.md. MUNIMENT_VAULT_URL is the
    address of the vault, MUNIMENT_URL that of Muniment's service, which permits the run and records it.
    """
    secretly.installed(command[0])
    wish = secretly.wish(**chosen)
    if not wish.given:
        raise UsageError("no secret is named", "Name each that the command needs: --secret NAME")
    who, url = found(os.environ, wish.kind), os.environ.get("MUNIMENT_URL", "").rstrip("/")
    fetched = secretly.no_more
    if url:
        fetched = request_run(url, wish.product, wish.environment, who, secretly.print_reason)
    with secretly.ready(wish, who, fetched) as ready:
        ended = ready.run(command)
    return leave(ended)
