"""muniment ledger export, reconcile, exchange-key, witness: maintenance of the ledger."""

from pathlib import Path

import click

from muniment.cli import context, home_access, options, printing
from muniment.errors import LedgerError, MunimentError, UsageError
from muniment.facts.counting import count_entries, count_text
from muniment.ledger import proofs, tiles
from muniment.ledger.key_exchanges import find_older_keys, list_exchange_paths
from muniment.store import durable_files, witnesses
from muniment.store.ledger_log import CHECKPOINT, Log
from muniment.workflows.exchange_key import record_key_exchange as exchange_ledger_key
from muniment.workflows.reconcile import record_reconciliation as reconcile_all

WITNESSED_FILE = "witnessed"


@click.command("export")
@click.argument("directory", metavar="DIR")
@options.required_home
@click.option("--objects", is_flag=True, help="Also the objects to which the entries refer: names, reasons, facts.")
@options.output
def export_ledger(directory: str, home: str, objects: bool, output: str) -> int:
    """Copy the ledger to DIR, which others verify with its public key alone: C2SP tiles and a checkpoint."""
    place = home_access.open_store(home)
    log = place.open_log()
    target = Path(directory)
    if target.exists() and any(target.iterdir()):
        raise UsageError(f"{directory} is not empty", "Name a new folder.")
    size = log.read_head().size
    needed = (*tiles.list_file_paths(size), *list_exchange_paths(log.read_file), *((CHECKPOINT,) if size else ()))
    files = {path: _read_required(log, path) for path in needed}
    for number, old in enumerate(find_older_keys(log.read_file, size), 1):
        files[f"ledger-{number}.pub"] = old.encode()
    files["ledger.pub"] = (place.public_key() or "").encode()
    durable_files.write_files({target / path: data for path, data in files.items()}, 0o644)
    object_count = 0
    if objects:
        for digest in place.list_object_digests():
            data = place.get_object(digest)
            if data is not None:
                durable_files.write_file(target / "objects" / f"{digest.removeprefix('sha256:')}.json", data, 0o600)
                object_count += 1
    if output == "json":
        printing.print_json({"directory": directory, "record_count": size, "object_count": object_count})
        return 0
    path = printing.make_printable(directory)
    click.echo(f"{count_entries(size)} and {count_text(object_count, 'object', 'objects')} are in {path}")
    click.echo(f"Next: anybody verifies it with: muniment ledger verify {path}")
    return 0


@click.command("reconcile")
@options.required_home
@click.option("--reason", required=True, metavar="TEXT", help="The cause that you found, for the record.")
@options.output
def reconcile_ledger(home: str, reason: str, output: str) -> int:
    """Accept this ledger although its copy outside, or a newer state of this home, contradicts it.

    Do so only if you know the cause and the newest copy is lost. It is recorded, and checkpoints of others will show
    it.
    """
    number = reconcile_all(home_access.open_store(home, "sequencer"), reason, context.current_moment())
    if output == "json":
        printing.print_json({"position": number})
    else:
        click.echo(f"recorded as entry {number}; the ledger goes on from here")
        click.echo(
            f"Next: tell whoever keeps checkpoints of it, and record each repository's refs: muniment "
            f"hook install --home {home}"
        )
    return 0


@click.command("exchange-key")
@options.required_home
@click.option("--reason", required=True, metavar="TEXT", help="The reason, for the record.")
@click.option("--lost", is_flag=True, help="The private key is lost, so that it cannot vouch for the new one.")
@options.output
def replace_ledger_key(home: str, reason: str, lost: bool, output: str) -> int:
    """Sign this ledger with a new key from now on. It stays the same ledger, and earlier signatures stay valid.

    The old key vouches for the new one, so the old public key still verifies the ledger. A lost key cannot vouch: give
    the new public key to everybody who verifies. If the command was interrupted, run it again.
    """
    place = home_access.open_store(home, "sequencer")
    if lost != (place.signing_key() is None):
        problem = "the private key is there, so it is not lost" if lost else "the private key is lost"
        remedy = "Run it without --lost." if lost else "Restore keys/ledger.key, or run it with --lost."
        raise UsageError(problem, remedy)
    number = exchange_ledger_key(place, reason, context.current_moment(), lost=lost)
    public = (place.public_key() or "").strip()
    if output == "json":
        printing.print_json({"position": number, "public_key": public})
        return 0
    click.echo(f"recorded as entry {number}; from here on this key signs the ledger:")
    click.echo(public)
    click.echo(
        "Next: give it to whoever verifies the ledger, and to the witnesses: docs/guides/keys.md, The ledger's key"
    )
    return 0


@click.command("witness")
@options.required_home
@options.output
def request_witness_signatures(home: str, output: str) -> int:
    """Ask the witnesses that home.toml names to sign the newest checkpoint. Exit code 1 if one does not."""
    place = home_access.open_store(home)
    log, settings = place.open_log(), place.load_settings()
    head, data = log.read_head(), log.load_checkpoint()
    if not settings.witnesses or data is None:
        raise UsageError("there is no witness, or nothing to sign", "Name witnesses in home.toml: [[witness]]")
    lines = ""
    failed: list[MunimentError] = []
    for named in settings.witnesses:
        try:
            lines += witnesses.request_cosignature(
                named, data, head.size, lambda old: proofs.prove_consistency(log.read_file, head.size, old)
            )
        except MunimentError as error:
            failed.append(error)
    if lines:
        durable_files.write_file(Path(home) / "ledger" / WITNESSED_FILE, data + lines.encode(), 0o644)
    if output == "json":
        printing.print_json(
            {"size": head.size, "signed": lines.count("\n"), "failed": [failure.message for failure in failed]}
        )
    else:
        click.echo(f"{lines.count(chr(10))} of {len(settings.witnesses)} witnesses signed {count_entries(head.size)}")
        for failure in failed:
            click.echo(
                f"{printing.status_sign('violated')} {printing.make_printable(failure.message)}\n"
                f"    Next: {failure.remedy}"
            )
    return 1 if failed else 0


def _read_required(log: Log, path: str) -> bytes:
    data = log.read_file(path)
    if data is None:
        raise LedgerError(f"{path} is missing", "See: muniment ledger verify")
    return data
