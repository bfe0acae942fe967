"""Everything of an installation in one file, and back: a restore proves the ledger before anything else may run."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

from django.contrib.sessions.models import Session
from django.db import connection, transaction

from muniment.errors import LedgerError
from muniment.ledger import entries, verification
from muniment.programs.catalogue import Program
from muniment.programs.command import Option
from muniment.server import moments
from muniment.server.records.erasure_lists import read_erasures
from muniment.server.records.installation import store
from muniment.server.records.models import ErasedObject, RecordPosition, StoredObject
from muniment.server.running.database import variables
from muniment.server.running.unpacking import DUMP, FORMAT, KEYS, MANIFEST, VAULT, run
from muniment.store import durable
from muniment.store.erasure_list import write_list
from muniment.vault import store as vault_store


def back_up(folder: Path, file: Path) -> int:
    """Write everything to a new file, for this account alone; how many entries its ledger has.

    Raises StoreError if it cannot be written, DatabaseError or VaultError for what cannot be read.
    """
    with transaction.atomic():  # a snapshot: what comes meanwhile is in the next one
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("SELECT pg_export_snapshot()")
            (snapshot,) = cursor.fetchone() or ("",)
        log = store().log()
        size, checkpoint = log.head().size, log.checkpoint()
        dump = _dumped(str(snapshot))
    parts = {DUMP: dump, **{name: (folder / name).read_bytes() for name in KEYS}}
    vault = vault_store.copied(folder)
    parts |= {VAULT: vault} if vault else {}
    manifest = {
        "format": FORMAT,
        "entries": size,
        "time": moments.now(),
        "external_copy": store().settings().external_copy,
        "erasures": write_list(read_erasures()),
        "checkpoint": (checkpoint or b"").decode(),
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in parts.items()},
    }
    parts[MANIFEST] = json.dumps(manifest, indent=1).encode()
    durable.write(file, _tar(parts), 0o600)
    return size


def erase_again() -> int:
    """What was erased stays so, should a backup have brought it back; how many objects that were."""
    return int(StoredObject.objects.filter(digest__in=ErasedObject.objects.values("digest")).delete()[0])


def end_sessions() -> int:
    """End every session that a backup brought back; how many those were."""
    return int(Session.objects.all().delete()[0])


def proven() -> int:
    """Look at the whole ledger, and that the rows say the same; how many entries there are.

    Raises LedgerError with the first thing that is wrong.
    """
    log = store().log()
    data = log.checkpoint()
    if data is None:
        return 0
    found = verification.verify(log.read, data, store().public_key() or "", lambda _, raw: entries.wrong(raw))
    if found.problems:
        raise LedgerError(found.problems[0], "Restore another backup.")
    placed = RecordPosition.objects.exclude(position=None).order_by("position")
    rows = placed.values_list("position", "record__data").iterator()
    for at, (entry, (place, raw)) in enumerate(zip(log.entries(0, found.size), rows, strict=True)):
        if place != at or bytes(raw) != entry:
            raise LedgerError(f"the row of entry {at} is not what was signed", "Restore another backup.")
    return found.size


def outrun() -> str:
    """Why the ledger may not be signed further until a person looked at it; "" if nothing is against it."""
    try:
        with store().log(signs=True).held():
            return ""
    except LedgerError as error:
        return error.message


def _dumped(snapshot: str) -> bytes:
    without = ("--no-owner", "--no-privileges", "--no-policies")  # the next start gives them as its version has them
    options: list[Option] = ["--format=custom", *without, "--enable-row-security", ("--snapshot", snapshot)]
    return run(Program.PG_DUMP, options, variables(connection.settings_dict))


def _tar(parts: dict[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for name, data in parts.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o600
            tar.addfile(member, io.BytesIO(data))
    return whole.getvalue()
