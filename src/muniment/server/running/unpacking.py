"""A backup's file: what is in it, and that it is what it says."""

import hashlib
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from muniment.errors import DatabaseError, StoreError
from muniment.programs.catalogue import Program
from muniment.programs.command import Option, build_command
from muniment.programs.environment import minimal_environment
from muniment.programs.process import Limits, last_line
from muniment.programs.process import run as run_program
from muniment.server.running.postgres_programs import find_program
from muniment.store.files import PRIVATE, PUBLIC

FORMAT = 1
DUMP, MANIFEST = "database.dump", "manifest.json"
VAULT = "vault.tar"  # only if the vault is our own; never its seal key
_LIMITS = Limits(seconds=6 * 3600, output=1 << 40, memory=1 << 40, file=1 << 40)  # as large as a database may be
KEYS = (PRIVATE, PUBLIC)  # sessions and links of before are worth nothing: web.key is made anew


def unpacked(file: Path) -> dict[str, bytes]:
    """The parts of a backup, each what the manifest says. Raises StoreError for what is none, or was altered."""
    try:
        with tarfile.open(file) as tar:
            names = {DUMP, MANIFEST, VAULT, *KEYS}
            found = {member.name: tar.extractfile(member) for member in tar.getmembers() if member.name in names}
            parts = {name: stream.read() for name, stream in found.items() if stream is not None}
        manifest = json.loads(parts[MANIFEST])
        sums = {name: hashlib.sha256(parts[name]).hexdigest() for name in manifest["sha256"]}
    except (OSError, tarfile.TarError, KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{file} is no backup, or is cut off", "Take another backup.") from error
    if manifest["format"] != FORMAT or sums != manifest["sha256"] or set(sums) - {VAULT} != {DUMP, *KEYS}:
        raise StoreError(f"{file} does not hold what it says", "Take another backup.")
    return parts


def put_back(parts: dict[str, bytes], database: Mapping[str, str]) -> None:
    """The database of a backup, into one that is empty. `database` as for `run`. Raises DatabaseError."""
    name = ("--dbname", database["PGDATABASE"])
    options: list[Option] = ["--no-owner", "--exit-on-error", "--single-transaction", name]
    run(Program.PG_RESTORE, options, database, parts[DUMP])


def run(program: Program, options: Sequence[Option], database: Mapping[str, str], data: bytes = b"") -> bytes:
    """What a program of PostgreSQL prints. Raises DatabaseError with its last line.

    `database`: where it is and as whom, as PostgreSQL's variables (`PGHOST`, `PGPASSWORD`): no argument shows them.
    """
    command = build_command(program, options, DatabaseError, find_program(program))
    done = run_program(command, minimal_environment(**database), DatabaseError, input=data, limits=_LIMITS)
    if done.code:
        raise DatabaseError(f"{program} failed: {last_line(done.err)}", "See: muniment doctor")
    return done.out
