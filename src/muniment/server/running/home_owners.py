"""Owners of the files of the home: each process reads its own keys and passwords, and no other's.

The folders themselves are root's: a process can replace nothing in them, not even its own files.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from muniment.errors import StoreError
from muniment.server.guarding import home_keys
from muniment.server.guarding.database_passwords import LOGIN_FOLDER
from muniment.server.running.process_system_accounts import (
    ACCOUNT_NAMES,
    CONFIRMATION,
    ERASER,
    GROUP,
    SEQUENCER,
    WEB,
    WORKER,
    ProcessAccount,
)
from muniment.store.files_store import PRIVATE, PUBLIC
from muniment.vault import layout, process_tokens

ROOT = "root"
MIRRORS, WORKERS_LOCK = "mirrors", "workers.lock"


class FileOwner(NamedTuple):
    """Account that owns a file or folder, the account whose group it has, and its mode."""

    account: str
    group: str
    mode: int


_PUBLIC = FileOwner(ROOT, ROOT, 0o644)
_PASSED = FileOwner(ROOT, GROUP, 0o710)  # a folder that processes pass through and cannot list
_ROOTS = FileOwner(ROOT, ROOT, 0o600)


def _own_file(account: str) -> FileOwner:
    return FileOwner(account, account, 0o600)


OWNED_FOLDERS: Mapping[str, FileOwner] = {
    "keys": _PASSED,
    LOGIN_FOLDER: _PASSED,
    MIRRORS: FileOwner(WORKER, WORKER, 0o700),
    home_keys.FEEDBACK: FileOwner(WEB, WEB, 0o700),
}
OWNED_FILES: Mapping[str, FileOwner] = {
    PRIVATE: _own_file(SEQUENCER),
    PUBLIC: _PUBLIC,
    home_keys.WEB: _own_file(WEB),
    home_keys.FACTORS: _own_file(WEB),
    # The worker gives forges the secrets by which the web knows them. The vault is in the worker's group, so not that.
    home_keys.HOOKS: FileOwner(WORKER, WEB, 0o640),
    home_keys.DIGESTS: _own_file(WORKER),
    home_keys.DEPLOY: _own_file(SEQUENCER),
    home_keys.DEPLOY_PUBLIC: _PUBLIC,
    f"keys/{layout.WEB}.key": _own_file(WEB),
    f"keys/{layout.WEB}.pub": _PUBLIC,
    f"keys/{layout.WORKER}.key": _own_file(WORKER),
    f"keys/{layout.WORKER}.pub": _PUBLIC,
    "keys/vault.seal": _ROOTS,
    f"{LOGIN_FOLDER}/owner": _ROOTS,
    f"{LOGIN_FOLDER}/web": _own_file(WEB),
    f"{LOGIN_FOLDER}/worker": _own_file(WORKER),
    f"{LOGIN_FOLDER}/confirmation": _own_file(CONFIRMATION),
    f"{LOGIN_FOLDER}/sequencer": _own_file(SEQUENCER),
    f"{LOGIN_FOLDER}/eraser": _own_file(ERASER),
    WORKERS_LOCK: _own_file(WORKER),
}


def assign_files(home: Path, accounts: Mapping[str, ProcessAccount]) -> None:
    """Give each process the files of the home that it needs, and nobody else. For root. Raises StoreError."""
    process_tokens.create_process_keys(home)
    try:
        _assign_all(home, accounts)
    except OSError as error:
        raise StoreError(
            f"{error.filename} cannot be given to the account that uses it ({error.strerror})",
            "Check that the home is on a file system with owners, and that it can be written.",
        ) from error


def _assign_all(home: Path, accounts: Mapping[str, ProcessAccount]) -> None:
    (home / MIRRORS).mkdir(mode=0o700, exist_ok=True)
    (home / home_keys.FEEDBACK).mkdir(mode=0o700, exist_ok=True)
    (home / WORKERS_LOCK).touch(mode=0o600)
    shared = accounts[WEB].groups[0]
    _open_home(home, shared)
    for name, owner in OWNED_FOLDERS.items():
        _assign_file(home / name, owner, accounts, shared)
    for name, owner in OWNED_FILES.items():
        if (home / name).exists():
            _assign_file(home / name, owner, accounts, shared)
    for file in _list_files(home):
        if str(file.relative_to(home)) not in OWNED_FILES and file.parent != home / home_keys.FEEDBACK:
            file.chmod(0o600)


def find_wrong_owners(home: Path, accounts: Mapping[str, ProcessAccount]) -> list[str]:
    """Files of the home that belong to another account than they should, or are open to more, each in a sentence.
    Raises OSError.
    """
    if set(accounts) != set(ACCOUNT_NAMES):
        return [f"the account {name} is missing" for name in ACCOUNT_NAMES if name not in accounts]
    shared = accounts[WEB].groups[0]
    wrong: list[str] = []
    for name, owner in {**OWNED_FOLDERS, **OWNED_FILES}.items():
        if not (home / name).exists():
            continue
        found = (home / name).lstat()
        user, group = _find_ids(owner, accounts, shared)
        if (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) != (user, group, owner.mode):
            wrong.append(f"{name} is not {stat.filemode(owner.mode)[1:]} of {owner.account}")
    return wrong


def _open_home(home: Path, shared: int) -> None:
    """Let the accounts pass through and list a home that is root's alone; one with a group stays as it is."""
    found = home.stat()
    if (
        found.st_uid == os.geteuid()
        and not found.st_mode & stat.S_IRWXO
        and (found.st_gid == shared or not found.st_mode & stat.S_IRWXG)
    ):
        os.chown(home, -1, shared)
        home.chmod(stat.S_IMODE(found.st_mode) | stat.S_IRGRP | stat.S_IXGRP)


def _assign_file(path: Path, owner: FileOwner, accounts: Mapping[str, ProcessAccount], shared: int) -> None:
    """Change the owner, group and mode of a file or folder. A link, which only root can have made, stays as it is."""
    if path.is_symlink():
        return
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.fchown(handle, *_find_ids(owner, accounts, shared))
        os.fchmod(handle, owner.mode)
    finally:
        os.close(handle)


def _find_ids(owner: FileOwner, accounts: Mapping[str, ProcessAccount], shared: int) -> tuple[int, int]:
    user = 0 if owner.account == ROOT else accounts[owner.account].user
    if owner.group == GROUP:
        return user, shared
    return user, 0 if owner.group == ROOT else accounts[owner.group].group


def _list_files(home: Path) -> Iterator[Path]:
    for name in ("keys", LOGIN_FOLDER):
        yield from (file for file in sorted((home / name).iterdir()) if file.is_file() and not file.is_symlink())
