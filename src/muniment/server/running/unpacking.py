"""A backup's file: what is in it, and that it is what it says."""

import hashlib
import json
import subprocess
import tarfile
from pathlib import Path

from muniment.errors import DatabaseError, HomeError
from muniment.home.files import PRIVATE, PUBLIC
from muniment.server.running.embedded import Embedded

FORMAT = 1
DUMP, MANIFEST = "database.dump", "manifest.json"
VAULT = "vault.tar"  # only if the vault is our own; never its seal key
KEYS = (PRIVATE, PUBLIC)  # sessions and links of before are worth nothing: web.key is made anew


def unpacked(file: Path) -> dict[str, bytes]:
    """The parts of a backup, each what the manifest says. Raises HomeError for what is none, or was altered."""
    try:
        with tarfile.open(file) as tar:
            names = {DUMP, MANIFEST, VAULT, *KEYS}
            found = {member.name: tar.extractfile(member) for member in tar.getmembers() if member.name in names}
            parts = {name: stream.read() for name, stream in found.items() if stream is not None}
        manifest = json.loads(parts[MANIFEST])
        sums = {name: hashlib.sha256(parts[name]).hexdigest() for name in manifest["sha256"]}
    except (OSError, tarfile.TarError, KeyError, TypeError, ValueError) as error:
        raise HomeError(f"{file} is no backup, or is cut off", "Take another backup.") from error
    if manifest["format"] != FORMAT or sums != manifest["sha256"] or set(sums) - {VAULT} != {DUMP, *KEYS}:
        raise HomeError(f"{file} does not hold what it says", "Take another backup.")
    return parts


def put_back(parts: dict[str, bytes], url: str) -> None:
    """The database of a backup, into one that is empty. Raises DatabaseError."""
    command = [str(Embedded.program("pg_restore")), "--no-owner", "--exit-on-error", "--single-transaction"]
    run([*command, "--dbname", url], parts[DUMP])


def run(command: list[str], data: bytes) -> bytes:
    """What a program of PostgreSQL prints. Raises DatabaseError with its last line."""
    try:
        done = subprocess.run(command, input=data, capture_output=True, check=False)
    except OSError as error:
        raise DatabaseError(
            f"{command[0]} cannot be started ({error.strerror})", "Install muniment[service]."
        ) from error
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        name = Path(command[0]).name
        raise DatabaseError(f"{name} failed: {lines[-1] if lines else 'without a word'}", "See: muniment doctor")
    return done.stdout
