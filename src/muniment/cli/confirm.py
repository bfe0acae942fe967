"""muniment confirm: signs a request of a dangerous act with the person's SSH key."""

import json
from urllib.parse import urlencode

import click
import msgspec

from muniment.cli import keys, options, printing
from muniment.errors import HttpError, NotCanonicalError, UsageError
from muniment.facts import canonical
from muniment.facts.act_statements import (
    ACT_NAMESPACE,
    ActStatement,
    ActStep,
    decode_act_statement,
    digest_to_sign,
    encode_act_statement,
)
from muniment.git import signatures
from muniment.http.client import HttpClient

_SECONDS = 30
_JSON = {"Accept": "application/json"}
_CREATED = 201


class StatementToSign(msgspec.Struct, frozen=True):
    """Answer of the confirmation process: a statement, the content that is shown of the request, and the signer's SSH
    keys.
    """

    statement: str
    shown: str
    keys: tuple[str, ...]


class _Problem(msgspec.Struct, frozen=True):
    message: str
    remedy: str


@click.command()
@click.argument("request", metavar="REQUEST")
@options.key
@click.option("--yes", is_flag=True, help="Sign without a question.")
def command(request: str, key: str | None, *, yes: bool) -> int:
    """Sign the request or approval of a dangerous act. REQUEST is its address, as the page of the request shows it.

    Prints the act from the very bytes that are signed. The key has to be enrolled, and in force.
    """
    try:
        client = HttpClient(request.rstrip("/"), seconds=_SECONDS)
    except HttpError as error:
        raise UsageError(error.message, error.remedy) from error
    offered = _fetch_statement(client)
    statement, display = _read_statement(offered)
    _print_act(statement, display)
    public, chosen = keys.find_own_key(key, ".")
    if public not in offered.keys:
        raise UsageError(
            f"the key {signatures.make_fingerprint(public)} is not enrolled for this person",
            "Enrol it on the page of your account, or name another with --key FILE.",
        )
    if not yes:
        click.confirm("Sign this?", abort=True, err=True)
    data = encode_act_statement(statement)
    signature = signatures.make_signature(digest_to_sign(data), ACT_NAMESPACE, chosen)
    _submit_signature(client, request.rstrip("/"), data.decode(), signature)
    click.echo("Signed. Once both signatures are verified, the second person approves the request on its page.")
    return 0


def _fetch_statement(client: HttpClient) -> StatementToSign:
    answer = client.request("GET", "statement", headers=_JSON)
    if answer.status != 200:
        raise UsageError(
            "no request waits at this address", "Copy the address again from the page of the request, up to its end."
        )
    try:
        return msgspec.json.decode(answer.body, type=StatementToSign)
    except msgspec.MsgspecError as error:
        raise UsageError("this is not the address of a request", "Copy it from the page of the request.") from error


def _read_statement(offered: StatementToSign) -> tuple[ActStatement, dict[str, object]]:
    """Read the statement and the shown content, whose digest the statement names. Raises UsageError."""
    try:
        statement = decode_act_statement(offered.statement.encode())
        display = canonical.decode(offered.shown.encode(), dict[str, object])
    except NotCanonicalError as error:
        raise UsageError(f"the statement cannot be signed: {error}", "Tell an administrator.") from error
    if statement.shown != canonical.digest_bytes(offered.shown.encode()):
        raise UsageError(
            "what is shown is not what the statement says", "Sign nothing, and tell a security officer of it."
        )
    return statement, display


def _print_act(statement: ActStatement, display: dict[str, object]) -> None:
    doing = "You confirm your request" if statement.step is ActStep.REQUEST else "You approve the request"
    click.echo(f"{doing}: {printing.make_printable(str(display.get('title', '')))}")
    click.echo(f"  {printing.make_printable(str(display.get('summary', '')))}")
    for name in ("requester", "requested_at", "reason", "ledger"):
        click.echo(f"  {name.replace('_', ' ')}: {printing.make_printable(str(display.get(name, '')))}")
    details = display.get("details") or []
    for line in details if isinstance(details, list) else [details]:
        click.echo(f"  {printing.make_printable(str(line))}")
    click.echo("The act, as it is signed:")
    for name, value in json.loads(statement.act).items():
        click.echo(f"  {printing.make_printable(name)}: {printing.make_printable(str(value))}")


def _submit_signature(client: HttpClient, address: str, statement: str, signature: str) -> None:
    """Submit the signature. Raises UsageError where it is refused."""
    body = urlencode({"statement": statement, "signature": signature}).encode()
    answer = client.request("POST", address, body, {**_JSON, "Content-Type": "application/x-www-form-urlencoded"})
    if answer.status == _CREATED:
        return
    try:
        problem = msgspec.json.decode(answer.body, type=_Problem)
    except msgspec.MsgspecError:
        problem = _Problem(f"the signature was not taken (status {answer.status})", "Try again in a moment.")
    raise UsageError(problem.message.rstrip("."), problem.remedy)
