"""muniment ledger verify: a whole ledger, or the proof that one entry is in it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import click
import msgspec

from muniment.cli import home_access, options, printing
from muniment.cli.input_files import read_input
from muniment.errors import ErasedError, LedgerError, NotCanonicalError, StoreError, UsageError
from muniment.facts import canonical
from muniment.facts.counting import count_entries
from muniment.facts.facts import StoredFact
from muniment.facts.kinds import PEOPLE
from muniment.facts.maybe import Known, Unknown
from muniment.facts.people import PeopleList
from muniment.ledger import checkpoints, proof_text, proofs, record_kinds, record_objects, tiles
from muniment.ledger.key_exchanges import find_current_key, find_older_keys
from muniment.ledger.merkle_tree import leaf_hash
from muniment.ledger.verification import verify_ledger as verify_all
from muniment.store.files_log import FilesLog
from muniment.store.files_store import PUBLIC, FilesStore
from muniment.store.ledger_log import Log
from muniment.store.store import Store

T = TypeVar("T")

_DECISIONS = record_kinds.DecisionRecord | record_kinds.DecisionPreviewRecord
_WITH_INCLUDED_HEADS = _DECISIONS | record_kinds.HookBypassRecord | record_kinds.BranchUpdateRecord
_OTHER_VERSION = "Use the version that wrote it, or restore objects/ from a backup."


@click.command("verify")
@click.argument("directory", required=False, metavar="[DIR]")
@options.home
@click.option("--key", metavar="FILE", help="The ledger's public key. Default: ledger.pub in DIR, or the home's.")
@click.option("--since", metavar="FILE", help="An older checkpoint: the ledger must have grown out of it.")
@click.option("--proof", metavar="FILE", help="Verify this proof that --entry is in a ledger, and nothing else.")
@click.option("--entry", metavar="FILE", help="The entry that --proof is about, as `show --format json` has it.")
@options.output
def verify_whole_ledger(
    directory: str | None,
    home: str | None,
    key: str | None,
    since: str | None,
    proof: str | None,
    entry: str | None,
    output: str,
) -> int:
    """Verify a whole ledger: a home's, or a copy in DIR with nothing but its public key.

    Every entry, every tile, the root and its signature are verified; the first bad entry is named. Exit code 1 if
    anything is wrong. Where the key was exchanged, the older one does too, if it vouched for the new one. Of a home,
    the objects of the ledger are verified too, and whether its copy outside and the home itself remember a newer
    ledger; of a service, each row that is relied on.
    """
    if proof is not None:
        return _verify_proof(proof, entry, _read_key(key, directory, home), output)
    if (directory is None) == (home is None):
        raise UsageError("the ledger was named not at all, or twice", "Name a copy, or the home with --home FOLDER.")
    place = home_access.open_store(home) if home is not None else None
    log = place.open_log() if place is not None else FilesLog(_require_folder(directory or ""), None, None, None)
    public = _read_key(key, directory, home)
    data = log.load_checkpoint()
    if data is not None:
        public = _find_signing_key(log, data, public)
    found = verify_all(
        log.read_file, data if data is not None else b"", public, lambda _, raw: record_kinds.find_record_problem(raw)
    )
    problems = list(found.problems) if data is not None else ["checkpoint is missing"]
    if since is not None:
        problems += _check_growth(log, found.size, since, public)
    if place is not None and not problems:
        problems += _check_objects(place, log, found.size)
        problems += _check_memories(place, found.size)
    return _print_result(found.size, found.root, found.first_bad, problems, output)


def _print_result(size: int, root: str, first_bad: int | None, problems: list[str], output: str) -> int:
    if output == "json":
        printing.print_json({"record_count": size, "root": root, "first_bad_position": first_bad, "problems": problems})
    elif problems:
        for problem in problems:
            click.echo(f"{printing.status_sign('violated')} {printing.make_printable(problem)}")
        if first_bad is not None:
            before = "; those before it are what was signed" if first_bad else ""
            click.echo(f"The first bad entry is {first_bad}{before}.")
        click.echo("Next: restore the newest copy of it; docs/reference/ledger.md says how.")
    else:
        click.echo(f"{printing.status_sign('met')} {count_entries(size)}, each of them what was signed; root {root}")
    return 1 if problems else 0


def _check_objects(home: Store, log: Log, size: int) -> Iterator[str]:
    """Problems of the objects outside the ledger: missing or damaged ones. An erased object is not missing."""
    seen: set[str] = set()  # decisions share their policies and people: each object is looked at once
    for at, data in enumerate(log.read_entries(0, size)):
        entry = record_kinds.decode_record(data, at)
        for digest in _list_objects(home, entry):
            if digest in seen:
                continue
            seen.add(digest)
            try:
                if home.get_object(digest) is None:
                    yield f"entry {at}: the object {digest} is missing"
            except ErasedError:
                continue
            except StoreError as error:
                yield f"entry {at}: {error.message}"


def _check_memories(home: Store, size: int) -> Iterator[str]:
    """Compare the ledger with its copy outside and the size that the home remembers: a rolled-back ledger is consistent
    in itself.

    Of a service, compare also the records in its table, and each row that is relied on.
    """
    if isinstance(home, FilesStore):
        found = [home.open_log().explain_copy_mismatch(), home.explain_index_mismatch(size)]
    else:
        from muniment.server.records.postgres_store import PostgresStore
        from muniment.server.records.record_checks import find_differences

        log = home.open_log(compares=True) if isinstance(home, PostgresStore) else home.open_log()
        found = [log.explain_copy_mismatch(), *find_differences(log, size)]
    yield from filter(None, found)


def _list_objects(home: Store, entry: record_kinds.AnyEntry) -> Iterator[str]:
    """Digests of the objects of a record: its own, its list of included heads, and a decision's policy and facts."""
    if isinstance(entry, _WITH_INCLUDED_HEADS) and entry.included_heads:
        yield entry.included_heads
    if not entry.object:
        return
    yield entry.object
    if isinstance(entry, _DECISIONS):
        try:
            data = home.get_object(entry.object)
        except StoreError:
            return  # reported already, or erased
        if data is not None:
            inputs = _decode_object(entry.object, data, record_objects.DecisionInputs)
            yield inputs.decision.policy
            yield from inputs.facts.values()
            yield from _list_people_objects(home, inputs.facts.get(PEOPLE.name, ""))


def _list_people_objects(home: Store, fact: str) -> Iterator[str]:
    """Digests of the list that a fact about people refers to, and of each person's object in it."""
    try:
        data = home.get_object(fact) if fact else None
        reference = _people_reference(fact, data) if data is not None else ""
        if not reference:
            return
        yield reference
        listing = home.get_object(reference)
    except StoreError:
        return  # reported already, or erased
    if listing is not None:
        yield from _decode_object(reference, listing, PeopleList).objects


def _people_reference(fact: str, data: bytes) -> str:
    """Digest of the list that a stored fact about people refers to, "" if the people were unknown."""
    value = _decode_object(fact, data, StoredFact).value
    try:
        found = msgspec.convert(value, Known[str] | Unknown)
    except msgspec.ValidationError as error:
        raise LedgerError(f"the object {fact} has another form: {error}", _OTHER_VERSION) from error
    return found.value if isinstance(found, Known) else ""


def _decode_object(digest: str, data: bytes, shape: type[T]) -> T:
    try:
        return canonical.decode(data, shape)
    except NotCanonicalError as error:
        raise LedgerError(f"the object {digest} has another form: {error.message}", _OTHER_VERSION) from error


def _find_signing_key(log: Log, data: bytes, public: str) -> str:
    """Find the key that signs the ledger now: the trusted one, or one that it vouched for.

    Of a damaged ledger the trusted key is returned: its checkpoint is then reported as not signed with it.
    """
    try:
        return find_current_key(log.read_file, checkpoints.read_unverified_checkpoint(data).size, public)
    except (LedgerError, StoreError):
        return public


def _check_growth(log: Log, size: int, file: str, public: str) -> list[str]:
    try:
        old = _read_older_checkpoint(log, size, _read_file(file), public)
        if old.size > size:
            return [f"the older checkpoint speaks of {count_entries(old.size)}, and there are {size}"]
        grown = tiles.compute_root(log.read_file, size, old.size) == old.root
    except LedgerError as error:
        return [error.message]
    return [] if grown else [f"the ledger did not grow out of the one with {count_entries(old.size)}: it was rewritten"]


def _read_older_checkpoint(log: Log, size: int, data: bytes, public: str) -> checkpoints.Checkpoint:
    """Read an older checkpoint, signed with the present key or an earlier one. Raises LedgerError."""
    for key in find_older_keys(log.read_file, size):
        try:
            return checkpoints.read_checkpoint(data, key)
        except LedgerError:
            continue
    return checkpoints.read_checkpoint(data, public)


def _verify_proof(proof: str, entry: str | None, public: str, output: str) -> int:
    if entry is None:
        raise UsageError("the entry of the proof was not named", "Name its file with --entry FILE.")
    raw = _read_file(entry).removesuffix(b"\n")
    inclusion = proof_text.parse_inclusion(_read_file(proof).decode("utf-8", "replace"))
    head = checkpoints.read_checkpoint(inclusion.checkpoint, public)
    good = proofs.is_included(leaf_hash(raw), inclusion.index, head.size, inclusion.path, head.root)
    problems = [] if good else [f"this is not entry {inclusion.index} of that ledger, or the proof is another's"]
    return _print_result(head.size, head.root.hex(), None, problems, output)


def _read_key(key: str | None, directory: str | None, home: str | None) -> str:
    if key is not None:
        return _read_file(key).decode("utf-8", "replace")
    if home is not None:
        public = home_access.open_store(home).public_key()
        if public is None:
            raise LedgerError(f"{PUBLIC} is missing in the home", "Restore it, or name a copy with --key FILE.")
        return public
    folder = _require_folder(directory or ".")
    if (folder / PUBLIC).is_file():
        raise UsageError(f"{folder} is a home, not a copy", f"Name it as one: muniment ledger verify --home {folder}")
    return _read_file(str(folder / "ledger.pub")).decode("utf-8", "replace")


def _require_folder(directory: str) -> Path:
    folder = Path(directory)
    if not folder.is_dir():
        raise UsageError(f"{directory} is no folder", "Name the copy of a ledger.")
    return folder


def _read_file(file: str) -> bytes:
    return read_input(file, "Name a file that is there.")
