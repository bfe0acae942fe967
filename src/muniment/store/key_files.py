"""Files of the ledger's key in an exchange: the next key is on the disk before anything is signed with it."""

import os
from contextlib import suppress
from pathlib import Path

from muniment.errors import LedgerError
from muniment.ledger.checkpoints import read_checkpoint
from muniment.ledger.ledger_keys import derive_public_key, generate_key
from muniment.store import durable_files
from muniment.store.files_store import PRIVATE, PUBLIC, FilesStore

NEXT_KEY_FILE = "keys/ledger.next.key"


def make_next_key(folder: Path, name: str) -> str:
    """The next private key of a ledger: the one that exists already, or a new one, which is on the disk by now."""
    file = folder / NEXT_KEY_FILE
    if file.exists():
        return FilesStore(str(folder)).read_private_key(NEXT_KEY_FILE) or ""
    private, _public = generate_key(name)
    durable_files.write_file(file, private.encode() + b"\n", 0o600)
    _give_to_owner(file, folder / PRIVATE if (folder / PRIVATE).exists() else folder / PUBLIC)
    return private


def is_exchanged(folder: Path, checkpoint: bytes | None) -> bool:
    """Whether the newest checkpoint is signed with the next key already: an exchange stopped before its end."""
    private = FilesStore(str(folder)).read_private_key(NEXT_KEY_FILE)
    if private is None or checkpoint is None:
        return False
    try:
        read_checkpoint(checkpoint, derive_public_key(private))
    except LedgerError:
        return False
    return True


def install_next_key(folder: Path) -> str:
    """Make the next key the key; its public key.

    The next key's file is deleted last, so that an interrupted run is repeated.
    """
    private = FilesStore(str(folder)).read_private_key(NEXT_KEY_FILE) or ""
    public = derive_public_key(private)
    _replace_file(folder / PRIVATE, private, 0o600)
    _replace_file(folder / PUBLIC, public + "\n", 0o644)
    os.unlink(folder / NEXT_KEY_FILE)
    durable_files.sync_folder(folder / "keys")
    return public


def _replace_file(file: Path, text: str, mode: int) -> None:
    new = file.with_name(f"{file.name}.new")
    durable_files.write_file(new, text.encode(), mode)
    _give_to_owner(new, file if file.exists() else file.with_name(Path(PUBLIC).name))
    os.replace(new, file)


def _give_to_owner(file: Path, like: Path) -> None:
    """Give a file to the account that owns another one: root may run the command for it."""
    with suppress(FileNotFoundError):
        found = like.stat()
        if (found.st_uid, found.st_gid) != (file.stat().st_uid, file.stat().st_gid):
            os.chown(file, found.st_uid, found.st_gid)
