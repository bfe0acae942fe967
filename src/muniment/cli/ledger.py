"""muniment ledger: shows the records, and proves that nobody rewrote them."""

from typing import Any

import click
import msgspec

from muniment.cli import home_access, ledger_commits, ledger_maintenance, ledger_text, ledger_verify, options, printing
from muniment.errors import ErasedError, LedgerError, NotCanonicalError, UsageError
from muniment.facts import canonical
from muniment.facts.counting import count_entries
from muniment.ledger import proof_text, proofs, record_kinds
from muniment.store.ledger_log import Log
from muniment.store.store import Store


@click.group()
def command() -> None:
    """Show, prove, verify and export the ledger."""


@command.command("show")
@click.argument("number", required=False, type=click.IntRange(0), metavar="[N]")
@options.required_home
@click.option("--last", default=20, show_default=True, type=click.IntRange(1), help="How many of the newest.")
@options.output
def show_records(number: int | None, home: str, last: int, output: str) -> int:
    """List the newest entries, or show entry N with its object."""
    place = home_access.open_store(home)
    log = place.open_log()
    size = log.read_head().size
    if number is not None:
        return _show_record(place, log, number, size, output)
    start = max(size - last, 0)
    found = [(at, record_kinds.decode_record(data, at)) for at, data in enumerate(log.read_entries(start, size), start)]
    if output == "json":
        printing.print_json([{"position": at, "record": entry} for at, entry in found])
        return 0
    for at, entry in found:
        click.echo(ledger_text.format_record(at, entry))
    click.echo(count_entries(size) + ("" if size else ": nothing was recorded yet"))
    return 0


def _show_record(home: Store, log: Log, number: int, size: int, output: str) -> int:
    if number >= size:
        raise UsageError(f"there is no entry {number}: the ledger has {size}", "See: muniment ledger show --home DIR")
    entry = record_kinds.decode_record(next(log.read_entries(number, number + 1)), number)
    details, problem = _read_details(home, entry.object)
    if output == "json":
        printing.print_json({"position": number, "record": entry, "details": details, "details_problem": problem})
        return 0
    click.echo(ledger_text.format_record(number, entry))
    for line in ledger_text.format_details(entry, details, problem):
        click.echo(line)
    return 0


def _read_details(home: Store, digest: str) -> tuple[Any, str]:
    """Object of a record as plain values, or the reason why there is none."""
    if not digest:
        return None, ""
    try:
        data = home.get_object(digest)
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


@command.command("prove")
@click.argument("number", required=False, type=click.IntRange(0), metavar="[N]")
@options.required_home
@click.option("--since", type=click.IntRange(0), metavar="SIZE", help="Prove instead that it grew out of SIZE entries.")
def prove_record(number: int | None, home: str, since: int | None) -> int:
    """Print the proof that entry N is in the ledger, with the newest checkpoint (C2SP tlog-proof).

    With --since, the proof that the ledger grew out of its first SIZE entries. Others check both with the public key.
    """
    if (number is None) == (since is None):
        raise UsageError("nothing to prove was named", "Name an entry, or a size with --since SIZE.")
    log = home_access.open_store(home).open_log()
    head = log.read_head()
    data = log.load_checkpoint()
    if data is None:
        raise UsageError("nothing was recorded yet", "Record something first: muniment hook install --home DIR")
    asked = number if number is not None else since
    try:
        if number is not None:
            path = proofs.prove_inclusion(log.read_file, head.size, number)
            click.echo(proof_text.format_inclusion(number, path, data.decode()), nl=False)
        else:
            path = proofs.prove_consistency(log.read_file, head.size, since or 0)
            click.echo(proof_text.format_consistency(since or 0, path, data.decode()), nl=False)
    except IndexError as error:
        raise UsageError(
            f"the ledger has {count_entries(head.size)}, not {asked}",
            "See: muniment ledger show --home DIR",
        ) from error
    return 0


@command.command("raw")
@click.argument("number", type=click.IntRange(0), metavar="N")
@options.required_home
def print_record(number: int, home: str) -> int:
    """Print entry N, byte for byte, as it is hashed."""
    log = home_access.open_store(home).open_log()
    size = log.read_head().size
    if number >= size:
        raise UsageError(f"there is no entry {number}: the ledger has {size}", "See: muniment ledger show --home DIR")
    click.echo(next(log.read_entries(number, number + 1)))
    return 0


for _more in (
    ledger_commits.list_commits,
    ledger_verify.verify_whole_ledger,
    ledger_maintenance.export_ledger,
    ledger_maintenance.reconcile_ledger,
    ledger_maintenance.replace_ledger_key,
    ledger_maintenance.request_witness_signatures,
):
    command.add_command(_more)
