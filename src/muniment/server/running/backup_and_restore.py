"""Backs up an installation into one file, and restores it: a restore verifies the ledger before anything else may
run.
"""

import hashlib
import io
import json
import tarfile
from pathlib import Path

from django.contrib.sessions.models import Session
from django.db import connection, transaction

from muniment.errors import LedgerError
from muniment.ledger import record_kinds, verification
from muniment.programs.catalogue import Program
from muniment.programs.command import ProgramOption
from muniment.server import moments
from muniment.server.products.models import FORGE, Repository
from muniment.server.products.repository_folders import is_in_named_folder
from muniment.server.records.erasure_lists import read_erasures
from muniment.server.records.installation import open_store
from muniment.server.records.models import Backup, ErasedObject, RecordPosition, StoredObject
from muniment.server.running.backup_file import DUMP, FORMAT, KEYS, MANIFEST, VAULT_ENTRY, run_postgres_program
from muniment.server.running.database_settings import make_program_variables
from muniment.store import durable_files
from muniment.store.erasure_list import format_list
from muniment.vault import store_copy as vault_store


def write_backup(folder: Path, file: Path) -> int:
    """Write everything to a new file, for this account alone; returns the number of records in its ledger.

    Raises StoreError if it cannot be written, DatabaseError or VaultError for a part that cannot be read.
    """
    with transaction.atomic():  # a snapshot: what comes meanwhile is in the next one
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("SELECT pg_export_snapshot()")
            (snapshot,) = cursor.fetchone() or ("",)
        log = open_store().open_log()
        size, checkpoint = log.read_head().size, log.load_checkpoint()
        dump = _dump_database(str(snapshot))
    parts = {DUMP: dump, **{name: (folder / name).read_bytes() for name in KEYS}}
    vault = vault_store.copy_store(folder)
    parts |= {VAULT_ENTRY: vault} if vault else {}
    manifest = {
        "format": FORMAT,
        "entries": size,
        "time": moments.current_moment(),
        "external_copy": open_store().load_settings().external_copy,
        "erasures": format_list(read_erasures()),
        "checkpoint": (checkpoint or b"").decode(),
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in parts.items()},
    }
    parts[MANIFEST] = json.dumps(manifest, indent=1).encode()
    durable_files.write_file(file, _pack_parts(parts), 0o600)
    return size


def note_backup(size: int) -> None:
    """Note that a backup was made, once its file is whole: the checklist of the set-up asks for a first one."""
    Backup.objects.create(ledger_size=size)


def repeat_erasures() -> int:
    """Erase again what was erased before, if a backup brought it back; returns the number of objects."""
    return int(StoredObject.objects.filter(digest__in=ErasedObject.objects.values("digest")).delete()[0])


def end_restored_sessions() -> int:
    """End every session that a backup brought back; returns their number."""
    return int(Session.objects.all().delete()[0])


def release_repositories() -> tuple[str, ...]:
    """Let the worker of this home read the repositories; returns the paths that the operator has to name here first."""
    rows = Repository.objects.exclude(path__startswith=FORGE)
    # Only what a worker read: a path that no operator ever named is not brought in by the way.
    paths = list(rows.filter(product__retired_at=None).exclude(worker="").values_list("path", flat=True))
    # A worker that lives keeps others away for minutes. None of the machine that was backed up works on this copy.
    rows.update(worker="", worker_seen_at=None)
    return tuple(path for path in paths if not is_in_named_folder(path))


def verify_ledger_and_rows() -> int:
    """Verify the whole ledger, and that the rows agree with it; returns the number of records.

    Raises LedgerError with the first problem.
    """
    log = open_store().open_log()
    data = log.load_checkpoint()
    if data is None:
        return 0
    found = verification.verify_ledger(
        log.read_file, data, open_store().public_key() or "", lambda _, raw: record_kinds.find_record_problem(raw)
    )
    if found.problems:
        raise LedgerError(found.problems[0], "Restore another backup.")
    placed = RecordPosition.objects.exclude(position=None).order_by("position")
    rows = placed.values_list("position", "record__data").iterator()
    for at, (entry, (place, raw)) in enumerate(zip(log.read_entries(0, found.size), rows, strict=True)):
        if place != at or bytes(raw) != entry:
            raise LedgerError(f"the row of entry {at} is not what was signed", "Restore another backup.")
    return found.size


def find_signing_problem() -> str:
    """Reason why the ledger may not be signed further until a person looked at it; "" if there is none."""
    try:
        with open_store().open_log(signs=True).lock_and_verify():
            return ""
    except LedgerError as error:
        return error.message


def _dump_database(snapshot: str) -> bytes:
    # The next start gives them as its version has them. Large objects are none of ours, and one that a process made
    # would end the dump: the operator may not read it.
    without = ("--no-owner", "--no-privileges", "--no-policies", "--no-blobs")
    options: list[ProgramOption] = ["--format=custom", *without, "--enable-row-security", ("--snapshot", snapshot)]
    return run_postgres_program(Program.PG_DUMP, options, make_program_variables(connection.settings_dict))


def _pack_parts(parts: dict[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for name, data in parts.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o600
            tar.addfile(member, io.BytesIO(data))
    return whole.getvalue()
