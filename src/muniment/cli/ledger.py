"""muniment ledger: what is recorded, and the proof that nobody rewrote it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from muniment.cli import ledger_text, options, printing, scene
from muniment.errors import ErasedError, HomeError, LedgerError, MunimentError, UsageError
from muniment.home import durable, witnesses
from muniment.home.files import PUBLIC, FilesHome
from muniment.home.log import CHECKPOINT, FilesLog
from muniment.ledger import checkpoints, entries, proof_text, proofs, tiles
from muniment.ledger.tree import leaf_hash
from muniment.ledger.verification import verify as verify_all
from muniment.workflows.reconciling import reconcile as reconcile_all

WITNESSED = "witnessed"


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
    place = FilesHome(home)
    log = place.log()
    size = log.head().size
    if number is not None:
        return _show_one(place, log, number, size, output)
    start = max(size - last, 0)
    found = [(at, entries.decode(data, at)) for at, data in enumerate(log.entries(start, size), start)]
    if output == "json":
        printing.json([{"number": at, "entry": entry} for at, entry in found])
        return 0
    for at, entry in found:
        click.echo(ledger_text.line(at, entry))
    click.echo(f"{size} entries" + ("" if size else ": nothing was recorded yet"))
    return 0


def _show_one(home: FilesHome, log: FilesLog, number: int, size: int, output: str) -> int:
    if number >= size:
        raise UsageError(f"there is no entry {number}: the ledger has {size}", "See: muniment ledger show")
    entry = entries.decode(next(log.entries(number, number + 1)), number)
    beside, problem = _beside(home, entry.object)
    if output == "json":
        printing.json({"number": number, "entry": entry, "object": beside, "missing": problem})
        return 0
    click.echo(ledger_text.line(number, entry))
    for line in ledger_text.details(entry, beside, problem):
        click.echo(line)
    return 0


def _beside(home: FilesHome, digest: str) -> tuple[Any, str]:
    """The object as plain values, or why there is none."""
    if not digest:
        return None, ""
    try:
        data = home.get(digest)
    except ErasedError as error:
        return None, error.message
    if data is None:
        raise LedgerError(f"the object {digest} is missing", "Restore objects/ from a backup.")
    return msgspec.json.decode(data), ""


@command.command()
@click.argument("number", required=False, type=click.IntRange(0), metavar="[N]")
@options.required_home
@click.option("--since", type=click.IntRange(0), metavar="SIZE", help="Prove instead that it grew out of SIZE entries.")
def prove(number: int | None, home: str, since: int | None) -> int:
    """Print the proof that entry N is in the ledger, with the newest checkpoint (C2SP tlog-proof).

    With --since, the proof that the ledger grew out of its first SIZE entries. Others check both with the public key.
    """
    if (number is None) == (since is None):
        raise UsageError("what to prove was not said", "Name an entry, or a size with --since SIZE.")
    log = FilesHome(home).log()
    head = log.head()
    data = log.checkpoint()
    if data is None:
        raise UsageError("nothing was recorded yet", "Record something first: muniment hook install")
    asked = number if number is not None else since
    try:
        if number is not None:
            path = proofs.inclusion(log.read, head.size, number)
            click.echo(proof_text.inclusion(number, path, data.decode()), nl=False)
        else:
            path = proofs.consistency(log.read, head.size, since or 0)
            click.echo(proof_text.consistency(since or 0, path, data.decode()), nl=False)
    except IndexError as error:
        raise UsageError(f"the ledger has {head.size} entries, not {asked}", "See: muniment ledger show") from error
    return 0


@command.command()
@click.argument("directory", required=False, metavar="[DIR]")
@options.home
@click.option("--key", metavar="FILE", help="The ledger's public key. Default: ledger.pub beside it, or the home's.")
@click.option("--since", metavar="FILE", help="An older checkpoint: the ledger must have grown out of it.")
@click.option("--proof", metavar="FILE", help="Verify this proof that --entry is in a ledger, and nothing else.")
@click.option("--entry", metavar="FILE", help="The entry that --proof is about, as `show --format json` has it.")
@options.output
def verify(
    directory: str | None,
    home: str | None,
    key: str | None,
    since: str | None,
    proof: str | None,
    entry: str | None,
    output: str,
) -> int:
    """Verify a whole ledger: a home's, or a copy in DIR with nothing but its public key.

    Every entry, every tile, the root and its signature are looked at; the first bad entry is named. Exit code 1 if
    anything is wrong. Of a home, the objects beside the ledger are looked at too.
    """
    if proof is not None:
        return _verify_proof(proof, entry, _key(key, directory, home), output)
    if (directory is None) == (home is None):
        raise UsageError("which ledger was not said, or twice", "Name a copy, or the home with --home DIR.")
    place = FilesHome(home) if home is not None else None
    log = place.log() if place is not None else FilesLog(_folder(directory or ""), None, None, None)
    public = _key(key, directory, home)
    data = log.checkpoint()
    found = verify_all(log.read, data if data is not None else b"", public, lambda _, raw: entries.wrong(raw))
    problems = list(found.problems) if data is not None else ["checkpoint is missing"]
    if since is not None:
        problems += _not_grown(log, found.size, Path(since), public)
    if place is not None and not problems:
        problems += _objects(place, log, found.size)
    return _told(found.size, found.root, found.first_bad, problems, output)


def _told(size: int, root: str, first_bad: int | None, problems: list[str], output: str) -> int:
    if output == "json":
        printing.json({"size": size, "root": root, "first_bad": first_bad, "problems": problems})
    elif problems:
        for problem in problems:
            click.echo(f"{printing.sign('violated')} {printing.plain(problem)}")
        if first_bad is not None:
            click.echo(f"The first bad entry is {first_bad}; those before it are what was signed.")
        click.echo("Next: restore the newest copy of it; docs/ledger.md says how.")
    else:
        click.echo(f"{printing.sign('satisfied')} {size} entries, each of them what was signed; root {root}")
    return 1 if problems else 0


def _objects(home: FilesHome, log: FilesLog, size: int) -> Iterator[str]:
    """What is missing or damaged of what lies beside the entries. What was erased is not missing."""
    for at, data in enumerate(log.entries(0, size)):
        entry = entries.decode(data, at)
        try:
            if entry.object and home.get(entry.object) is None:
                yield f"entry {at}: its object {entry.object} is missing"
        except ErasedError:
            continue
        except HomeError as error:
            yield f"entry {at}: {error.message}"


def _not_grown(log: FilesLog, size: int, file: Path, public: str) -> list[str]:
    try:
        old = checkpoints.read_checkpoint(_bytes(file), public)
        if old.size > size:
            return [f"the older checkpoint speaks of {old.size} entries, and there are {size}"]
        grown = tiles.root(log.read, size, old.size) == old.root
    except LedgerError as error:
        return [error.message]
    return [] if grown else [f"the ledger did not grow out of the one with {old.size} entries: it was rewritten"]


def _verify_proof(proof: str, entry: str | None, public: str, output: str) -> int:
    if entry is None:
        raise UsageError("which entry the proof is about was not said", "Name its file with --entry FILE.")
    raw = _bytes(Path(entry)).removesuffix(b"\n")
    said = proof_text.read_inclusion(_bytes(Path(proof)).decode("utf-8", "replace"))
    head = checkpoints.read_checkpoint(said.checkpoint, public)
    good = proofs.check_inclusion(leaf_hash(raw), said.index, head.size, said.path, head.root)
    problems = [] if good else [f"this is not entry {said.index} of that ledger, or the proof is another's"]
    return _told(head.size, head.root.hex(), None, problems, output)


@command.command()
@click.argument("number", type=click.IntRange(0), metavar="N")
@options.required_home
def raw(number: int, home: str) -> int:
    """Print entry N, byte for byte, as it is hashed."""
    log = FilesHome(home).log()
    size = log.head().size
    if number >= size:
        raise UsageError(f"there is no entry {number}: the ledger has {size}", "See: muniment ledger show")
    click.echo(next(log.entries(number, number + 1)))
    return 0


@command.command()
@click.argument("directory", metavar="DIR")
@options.required_home
@click.option("--objects", is_flag=True, help="Also what lies beside the entries: names, reasons, facts.")
@options.output
def export(directory: str, home: str, objects: bool, output: str) -> int:
    """Copy the ledger to DIR, which others verify with its public key alone: C2SP tiles and a checkpoint."""
    place = FilesHome(home)
    log = place.log()
    target = Path(directory)
    if target.exists() and any(target.iterdir()):
        raise UsageError(f"{directory} is not empty", "Name a new folder.")
    size = log.head().size
    files = {path: _needed(log, path) for path in (*tiles.paths(size), *((CHECKPOINT,) if size else ()))}
    files["ledger.pub"] = (place.public_key() or "").encode()
    durable.write_all({target / path: data for path, data in files.items()}, 0o644)
    kept = 0
    if objects:
        for digest in place.objects():
            data = place.get(digest)
            if data is not None:
                durable.write(target / "objects" / f"{digest.removeprefix('sha256:')}.json", data, 0o600)
                kept += 1
    if output == "json":
        printing.json({"directory": directory, "entries": size, "objects": kept})
        return 0
    click.echo(f"{size} entries and {kept} objects are in {directory}")
    click.echo(f"Next: anybody verifies it with: muniment ledger verify {directory}")
    return 0


@command.command()
@options.required_home
@click.option("--reason", required=True, metavar="TEXT", help="What you found out, for the record.")
@options.output
def reconcile(home: str, reason: str, output: str) -> int:
    """Go on with this ledger although its copy outside, or what this home had before, says otherwise.

    Only after you know why, and the newest copy is lost. It is recorded, and others' older checkpoints will show it.
    """
    number = reconcile_all(FilesHome(home), reason, scene.now())
    if output == "json":
        printing.json({"entry": number})
    else:
        click.echo(f"recorded as entry {number}; the ledger goes on from here")
        click.echo(
            "Next: tell whoever keeps checkpoints of it, and record each repository's refs: muniment hook install"
        )
    return 0


@command.command()
@options.required_home
@options.output
def witness(home: str, output: str) -> int:
    """Ask the witnesses that home.toml names to sign the newest checkpoint. Exit code 1 if one does not."""
    place = FilesHome(home)
    log, settings = place.log(), place.settings()
    head, data = log.head(), log.checkpoint()
    if not settings.witnesses or data is None:
        raise UsageError("there is no witness, or nothing to sign", "Name witnesses in home.toml: [[witness]]")
    lines = ""
    failed: list[MunimentError] = []
    for named in settings.witnesses:
        try:
            lines += witnesses.ask(named, data, head.size, lambda old: proofs.consistency(log.read, head.size, old))
        except MunimentError as error:
            failed.append(error)
    if lines:
        durable.write(Path(home) / "ledger" / WITNESSED, data + lines.encode(), 0o644)
    if output == "json":
        printing.json(
            {"size": head.size, "signed": lines.count("\n"), "failed": [failure.message for failure in failed]}
        )
    else:
        click.echo(f"{lines.count(chr(10))} of {len(settings.witnesses)} witnesses signed {head.size} entries")
        for failure in failed:
            click.echo(f"{printing.sign('violated')} {printing.plain(failure.message)}\n    Next: {failure.remedy}")
    return 1 if failed else 0


def _key(key: str | None, directory: str | None, home: str | None) -> str:
    if key is not None:
        return _bytes(Path(key)).decode("utf-8", "replace")
    if home is not None:
        public = FilesHome(home).public_key()
        if public is None:
            raise LedgerError(f"{PUBLIC} is missing in the home", "Restore it, or name a copy with --key FILE.")
        return public
    return _bytes(_folder(directory or ".") / "ledger.pub").decode("utf-8", "replace")


def _folder(directory: str) -> Path:
    folder = Path(directory)
    if not folder.is_dir():
        raise UsageError(f"{directory} is no folder", "Name the copy of a ledger.")
    return folder


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror})", "Name a file that is there.") from error


def _needed(log: FilesLog, path: str) -> bytes:
    data = log.read(path)
    if data is None:
        raise LedgerError(f"{path} is missing", "See: muniment ledger verify")
    return data
