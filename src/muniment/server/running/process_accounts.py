"""Accounts under which the processes of a home run right now, as the kernel says."""

import itertools
import os
import pwd
from contextlib import suppress
from pathlib import Path

_SERVERS = {"bao": "vault", "postgres": "database"}
_PROCESSES = ("web", "worker", "confirmation", "sequencer", "eraser")


def find_running_accounts(home: Path) -> dict[str, frozenset[str]]:
    """Accounts of each running process of the home, by its name; one that cannot be read is left out."""
    found: dict[str, set[str]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            name = _find_process_name(folder, home.absolute())
            if name:
                found.setdefault(name, set()).add(_find_account_name(folder.stat().st_uid))
    return {name: frozenset(accounts) for name, accounts in found.items()}


def _find_process_name(folder: Path, home: Path) -> str:
    """Name of a process of this home, "" for any other. Raises OSError for one that ended."""
    words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
    for name, value in itertools.pairwise(words):
        if name in _PROCESSES and value in (f"--home={home}", "--home"):
            return name if value != "--home" or str(home) in words else ""
    program = _SERVERS.get(os.path.basename(words[0]), "")
    if program == "database":
        return program if str(home / "postgres" / "data") in words else ""
    # Not by its name, which may be another one in the view of that process.
    return program if program and os.path.samefile(folder / "cwd", home / "vault") else ""


def _find_account_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
