"""File of a backup: its parts, and their verification."""

import hashlib
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from muniment.errors import DatabaseError, StoreError
from muniment.programs.catalogue import Program
from muniment.programs.command import ProgramOption, build_command
from muniment.programs.environment import minimal_environment
from muniment.programs.process import ProcessLimits, find_last_line
from muniment.programs.process import run_program as run_program
from muniment.server.running.postgres_programs import find_postgres_program
from muniment.store.files_store import PRIVATE, PUBLIC

FORMAT = 1
DUMP, MANIFEST = "database.dump", "manifest.json"
VAULT_ENTRY = "vault.tar"  # only if the vault is our own; never its seal key
_LIMITS = ProcessLimits(seconds=6 * 3600, output=1 << 40, memory=1 << 40, file=1 << 40)  # as large as a database may be
KEYS = (PRIVATE, PUBLIC)  # sessions and links of before are worth nothing: web.key is made anew


def read_backup(file: Path) -> dict[str, bytes]:
    """Read the parts of a backup, each as the manifest says. Raises StoreError for an invalid or altered file."""
    try:
        with tarfile.open(file) as tar:
            names = {DUMP, MANIFEST, VAULT_ENTRY, *KEYS}
            found = {member.name: tar.extractfile(member) for member in tar.getmembers() if member.name in names}
            parts = {name: stream.read() for name, stream in found.items() if stream is not None}
        manifest = json.loads(parts[MANIFEST])
        sums = {name: hashlib.sha256(parts[name]).hexdigest() for name in manifest["sha256"]}
    except (OSError, tarfile.TarError, KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{file} is no backup, or is cut off", "Take another backup.") from error
    if manifest.get("format") != FORMAT or sums != manifest["sha256"] or set(sums) - {VAULT_ENTRY} != {DUMP, *KEYS}:
        raise StoreError(f"{file} does not hold what it says", "Take another backup.")
    return parts


def restore_database(parts: dict[str, bytes], database: Mapping[str, str]) -> None:
    """Restore the database of a backup into an empty one. `database` as for `run_postgres_program`. Raises
    DatabaseError.
    """
    name = ("--dbname", database["PGDATABASE"])
    options: list[ProgramOption] = ["--no-owner", "--exit-on-error", "--single-transaction", name]
    run_postgres_program(Program.PG_RESTORE, options, database, parts[DUMP])


def run_postgres_program(
    program: Program, options: Sequence[ProgramOption], database: Mapping[str, str], data: bytes = b""
) -> bytes:
    """Run a program of PostgreSQL; returns its output. Raises DatabaseError with its last line.

    `database`: address and user, as PostgreSQL's variables (`PGHOST`, `PGPASSWORD`): no argument shows them.
    """
    command = build_command(program, options, DatabaseError, find_postgres_program(program))
    done = run_program(command, minimal_environment(**database), DatabaseError, input=data, limits=_LIMITS)
    if done.code:
        raise DatabaseError(f"{program} failed: {find_last_line(done.err)}", "See: muniment doctor")
    return done.out
