"""The account that runs PostgreSQL, and the folders that it can enter.

PostgreSQL refuses to run as root. Where root starts Muniment, an account without any privilege runs it, and can read
nothing of Muniment's but the database's own folder. It has to be able to pass through every folder above that one.
"""

import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from muniment.errors import DatabaseError, ProgramError
from muniment.server.running.process_system_accounts import (
    DATABASE,
    UNPRIVILEGED,
    ProcessAccount,
    find_process_account,
    make_process_accounts,
)


def find_database_account(*, make: bool = False) -> ProcessAccount | None:
    """Account that runs PostgreSQL for root; None for all others, who run it themselves. Raises DatabaseError.

    `make`: it is made if it does not exist. Where no account can be made, an account that every system has is used.
    """
    if os.geteuid() != 0:
        return None
    own = find_process_account(DATABASE)
    if own is None and make:
        with suppress(ProgramError):  # `up` says why
            own = make_process_accounts(DATABASE)[DATABASE]
    if own is not None:
        return own
    try:
        found = pwd.getpwnam(UNPRIVILEGED)
    except KeyError as error:
        raise DatabaseError(
            f"the database cannot be used: there is no account {UNPRIVILEGED}, and PostgreSQL does not run as root",
            "Start Muniment as an account other than root, or name a database in DATABASE_URL.",
        ) from error
    return ProcessAccount(UNPRIVILEGED, found.pw_uid, found.pw_gid)


def find_blocking_folder(folder: Path, account: ProcessAccount) -> Path | None:
    """The topmost folder on the way to `folder`, itself included, that `account` cannot enter; None if there is none.

    Permission bits decide, and access control lists do not count. Raises OSError for a folder that is not there.
    """
    return next(
        (each for each in _list_parents(folder) if not _has_permission_bits(each.stat(), account, stat.S_IXOTH)), None
    )


def can_read(path: Path, account: ProcessAccount) -> bool:
    """Whether permission bits let `account` read a file, or list and enter a folder, that it found the way to."""
    found = path.stat()
    wanted = stat.S_IROTH | (stat.S_IXOTH if stat.S_ISDIR(found.st_mode) or found.st_mode & stat.S_IXUSR else 0)
    return _has_permission_bits(found, account, wanted)


def can_write_in(folder: Path, account: ProcessAccount) -> bool:
    """Whether permission bits let `account` make files in a folder. Raises OSError for a folder that is not there."""
    wanted = stat.S_IWOTH | stat.S_IXOTH
    return find_blocking_folder(folder, account) is None and _has_permission_bits(folder.stat(), account, wanted)


def require_passable(folder: Path, account: ProcessAccount) -> None:
    """Raise DatabaseError, naming the folder that is in the way, unless `account` can enter `folder`."""
    blocking = find_blocking_folder(folder, account)
    if blocking is not None:
        found = blocking.stat()
        mode, owner = stat.filemode(found.st_mode), _find_owner_name(found.st_uid)
        raise DatabaseError(
            f"the database cannot be used: the account {account.name} runs PostgreSQL for root, and cannot enter "
            f"{blocking} ({mode}, of {owner}), which {folder} is in",
            f"Name a home that is not below {blocking}, such as --home /var/lib/muniment; or run: chmod o+x {blocking}",
        )


def open_home_for(home: Path, account: ProcessAccount) -> None:
    """Let `account` pass through a home that is root's alone. It cannot list it; a home with a group stays as it is."""
    found = home.stat()
    if (
        _has_permission_bits(found, account, stat.S_IXOTH)
        or found.st_uid != os.geteuid()
        or found.st_mode & stat.S_IRWXG
    ):
        return
    os.chown(home, -1, account.groups[0] if account.groups else account.group)
    home.chmod(stat.S_IMODE(found.st_mode) | stat.S_IXGRP)


def _list_parents(folder: Path) -> Iterator[Path]:
    """Every folder from the root to `folder`, as symbolic links lead there and as it is named."""
    for way in dict.fromkeys((folder.resolve(), folder.absolute())):
        yield from reversed((way, *way.parents))


def _has_permission_bits(found: os.stat_result, account: ProcessAccount, others: int) -> bool:
    """Whether `account` has the bits that `others` names for other accounts."""
    if found.st_uid == account.user:
        wanted = others << 6
    elif found.st_gid in (account.group, *account.groups):
        wanted = others << 3
    else:
        wanted = others
    return found.st_mode & wanted == wanted


def _find_owner_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
