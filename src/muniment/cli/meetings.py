"""muniment meetings: applies replies to invitations that arrived by mail."""

import os
import sys
from pathlib import Path

import click

from muniment.cli import printing, service_setup
from muniment.errors import UsageError

_LARGEST_MAIL = 1 << 20


@click.group()
def command() -> None:
    """Handle the mails of security reviews and retros."""


@command.command("reply")
@service_setup.home
def apply_reply(home: str) -> int:
    """Apply the reply to an invitation that standard input holds: one whole mail.

    Have the mail server of the sender's address pipe each mail into it. An answer is recorded. A counter-proposal is
    sent to the chair, and a delegation is confirmed by the person on the page. No mail moves a meeting. Set
    MUNIMENT_MAIL_REPLIES=yes for the service, so that invitations ask for an answer.
    """
    raw = sys.stdin.buffer.read(_LARGEST_MAIL + 1)
    if len(raw) > _LARGEST_MAIL:
        raise UsageError("the mail is larger than 1 MiB", "Pipe the reply alone into the command.")
    folder = Path(home).absolute()
    if not (folder / service_setup.STATE_FILE).is_file():
        raise UsageError(f"{home} is no home of a service", "Name the home of a service: --home FOLDER")
    address = os.environ.get("MUNIMENT_URL") or service_setup.read_service_url(folder)
    service_setup.set_up_process(folder, "operator", address or "http://localhost:8000")
    from muniment.server.meetings.mailed_replies import apply_mailed_reply

    click.echo(printing.make_printable(apply_mailed_reply(raw)))
    return 0
