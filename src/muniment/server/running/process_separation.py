"""Separation of the processes by accounts of their own, and what they need for it.

Root can start them so. Where the system does not permit it, they run as root, and `up` says why: the logins of the
database still separate them against SQL that was injected and credentials that leaked.
"""

import os
import pwd
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from muniment.errors import ProgramError
from muniment.server.running.mount_view import cover_closed_folders, find_closed_folders
from muniment.server.running.process_system_accounts import ACCOUNT_NAMES, ProcessAccount, make_process_accounts

# Files and folders that a process reads because an environment variable names them.
_FILES = (
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY", "PGSSLCRL"),
    *("MUNIMENT_BREACHED", "MUNIMENT_VAULT_CA", "MUNIMENT_VAULT_CERT", "MUNIMENT_VAULT_KEY", "MUNIMENT_VAULT_AUDIT"),
    *("BAO_BIN", "TMPDIR"),
)
_FOLDERS = "MUNIMENT_REPOSITORY_FOLDERS"
_ADVISORIES = ("MUNIMENT_ADVISORIES", "MUNIMENT_EXPLOITED")
_MOST_LINKS = 40


class ProcessSeparation(NamedTuple):
    """Account of each process, by NAMES; none where all run as one, for the reason in `problem`."""

    accounts: Mapping[str, ProcessAccount]
    problem: str = ""


def separate_processes(home: Path, repositories: Sequence[str], environment: Mapping[str, str]) -> ProcessSeparation:
    """Find or make the accounts, and have them reach what they need. Everything that is started later sees it so.

    For a process without threads. `repositories`: paths that were named at the start.
    """
    if os.geteuid() != 0:
        return ProcessSeparation({}, f"it was started as {_find_own_name()}, not as root")
    try:
        accounts = make_process_accounts(*ACCOUNT_NAMES)
        closed = find_closed_folders(find_needed_paths(home, repositories, environment), list(accounts.values()))
    except ProgramError as error:
        return ProcessSeparation({}, error.message)
    except OSError as error:
        return ProcessSeparation({}, f"{error.filename} cannot be looked at ({error.strerror})")
    if closed:
        try:
            cover_closed_folders(closed)
        except OSError as error:
            names = ", ".join(sorted(str(folder) for folder in closed))
            return ProcessSeparation(
                {}, f"other accounts cannot enter {names}, and no view can be mounted ({error.strerror})"
            )
    return ProcessSeparation(accounts)


def describe_separation(separation: ProcessSeparation) -> str:
    """Describe the protection of one process from another, in one line for the operator."""
    if separation.accounts:
        return (
            "Each process runs under an account of its own (muniment-web, muniment-worker ...): code that runs in one "
            "reads neither the keys nor the memory of another."
        )
    return (
        f"All processes run under one account, since {separation.problem}: the database logins protect against "
        "injected SQL and leaked credentials, not against code that runs in a process."
    )


def _find_own_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def find_needed_paths(home: Path, repositories: Sequence[str], environment: Mapping[str, str]) -> list[Path]:
    """Paths of the home, the program and its libraries, and those that the environment names."""
    needed = [home, *_find_interpreter_links(), *(Path(path) for path in repositories)]
    needed += [Path(each) for each in (sys.prefix, sys.base_prefix, sys.base_exec_prefix, *sys.path) if each]
    needed += [Path(environment[name]) for name in _FILES if environment.get(name)]
    needed += [Path(each) for each in environment.get(_FOLDERS, "").split(":") if each]
    named = (each for name in _ADVISORIES for each in environment.get(name, "").split())
    needed += [Path(each) for each in named if "://" not in each]
    return [path for path in dict.fromkeys(needed) if path.exists()]


def _find_interpreter_links() -> Iterator[Path]:
    """Paths of the interpreter, by each name through which links lead to it."""
    path = Path(sys.executable)
    for _link in range(_MOST_LINKS):
        yield path
        if not path.is_symlink():
            return
        path = path.parent / os.readlink(path)
