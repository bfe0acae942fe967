"""muniment ledger: what is recorded, and the proof that nobody rewrote it."""

from typing import Any

import click
import msgspec

from muniment.cli import homes, ledger_commits, ledger_keep, ledger_text, ledger_verify, options, printing
from muniment.errors import ErasedError, LedgerError, NotCanonicalError, UsageError
from muniment.facts import canonical
from muniment.facts.counting import count_entries
from muniment.ledger import entries, proof_text, proofs
from muniment.store.log import Log
from muniment.store.store import Store


@click.group()
def command() -> None:
    """Show, prove, verify and export the ledger."""


@command.command()
@click.argument("number", required=False, type=click.IntRange(0), metavar="[N]")
@options.required_home
@click.option("--last", default=20, show_default=True, type=click.IntRange(1), help="How many of the newest.")
@options.output
def show(number: int | None, home: str, last: int, output: str) -> int:
    """List the newest entries, or show entry N with what lies beside it."""
    place = homes.at(home)
    log = place.log()
    size = log.head().size
    if number is not None:
        return _show_one(place, log, number, size, output)
    start = max(size - last, 0)
    found = [(at, entries.decode(data, at)) for at, data in enumerate(log.entries(start, size), start)]
    if output == "json":
        printing.json([{"position": at, "record": entry} for at, entry in found])
        return 0
    for at, entry in found:
        click.echo(ledger_text.line(at, entry))
    click.echo(count_entries(size) + ("" if size else ": nothing was recorded yet"))
    return 0


def _show_one(home: Store, log: Log, number: int, size: int, output: str) -> int:
    if number >= size:
        raise UsageError(f"there is no entry {number}: the ledger has {size}", "See: muniment ledger show --home DIR")
    entry = entries.decode(next(log.entries(number, number + 1)), number)
    beside, problem = _beside(home, entry.object)
    if output == "json":
        printing.json({"position": number, "record": entry, "details": beside, "details_problem": problem})
        return 0
    click.echo(ledger_text.line(number, entry))
    for line in ledger_text.details(entry, beside, problem):
        click.echo(line)
    return 0


def _beside(home: Store, digest: str) -> tuple[Any, str]:
    """The object as plain values, or why there is none."""
    if not digest:
        return None, ""
    try:
        data = home.get(digest)
    except ErasedError as error:
        return None, error.message
    if data is None:
        raise LedgerError(f"the object {digest} is missing", "Restore objects/ from a backup.")
    try:
        return canonical.decode(data, msgspec.json.Decoder()), ""
    except NotCanonicalError as error:
        raise LedgerError(
            f"the object {digest} is not what its entry says: {error.message}", "Restore objects/ from a backup."
        ) from error


@command.command()
@click.argument("number", required=False, type=click.IntRange(0), metavar="[N]")
@options.required_home
@click.option("--since", type=click.IntRange(0), metavar="SIZE", help="Prove instead that it grew out of SIZE entries.")
def prove(number: int | None, home: str, since: int | None) -> int:
    """Print the proof that entry N is in the ledger, with the newest checkpoint (C2SP tlog-proof).

    With --since, the proof that the ledger grew out of its first SIZE entries. Others check both with the public key.
    """
    if (number is None) == (since is None):
        raise UsageError("nothing to prove was named", "Name an entry, or a size with --since SIZE.")
    log = homes.at(home).log()
    head = log.head()
    data = log.checkpoint()
    if data is None:
        raise UsageError("nothing was recorded yet", "Record something first: muniment hook install --home DIR")
    asked = number if number is not None else since
    try:
        if number is not None:
            path = proofs.inclusion(log.read, head.size, number)
            click.echo(proof_text.inclusion(number, path, data.decode()), nl=False)
        else:
            path = proofs.consistency(log.read, head.size, since or 0)
            click.echo(proof_text.consistency(since or 0, path, data.decode()), nl=False)
    except IndexError as error:
        raise UsageError(
            f"the ledger has {count_entries(head.size)}, not {asked}",
            "See: muniment ledger show --home DIR",
        ) from error
    return 0


@command.command()
@click.argument("number", type=click.IntRange(0), metavar="N")
@options.required_home
def raw(number: int, home: str) -> int:
    """Print entry N, byte for byte, as it is hashed."""
    log = homes.at(home).log()
    size = log.head().size
    if number >= size:
        raise UsageError(f"there is no entry {number}: the ledger has {size}", "See: muniment ledger show --home DIR")
    click.echo(next(log.entries(number, number + 1)))
    return 0


for _more in (
    ledger_commits.commits,
    ledger_verify.verify,
    ledger_keep.export,
    ledger_keep.reconcile,
    ledger_keep.exchange_key,
    ledger_keep.witness,
):
    command.add_command(_more)
