"""The files of the ledger's key in an exchange: the next key is on the disk before anything is signed with it."""

import os
from contextlib import suppress
from pathlib import Path

from muniment.errors import LedgerError
from muniment.ledger.checkpoints import read_checkpoint
from muniment.ledger.keys import generate, public_of
from muniment.store import durable
from muniment.store.files import PRIVATE, PUBLIC, FilesStore

NEXT = "keys/ledger.next.key"


def draw_next_key(folder: Path, name: str) -> str:
    """The next private key of a ledger: the one that is there already, or a new one, which is on the disk by now."""
    file = folder / NEXT
    if file.exists():
        return FilesStore(str(folder)).read_private(NEXT) or ""
    private, _public = generate(name)
    durable.write(file, private.encode() + b"\n", 0o600)
    _give_to_owner(file, folder / PRIVATE if (folder / PRIVATE).exists() else folder / PUBLIC)
    return private


def is_exchanged(folder: Path, checkpoint: bytes | None) -> bool:
    """Whether the newest checkpoint is signed with the next key already: an exchange stopped before its end."""
    private = FilesStore(str(folder)).read_private(NEXT)
    if private is None or checkpoint is None:
        return False
    try:
        read_checkpoint(checkpoint, public_of(private))
    except LedgerError:
        return False
    return True


def install_next_key(folder: Path) -> str:
    """Make the next key the key; its public key. The next one goes last: stopped half-way, this is done again."""
    private = FilesStore(str(folder)).read_private(NEXT) or ""
    public = public_of(private)
    _write(folder / PRIVATE, private, 0o600)
    _write(folder / PUBLIC, public + "\n", 0o644)
    os.unlink(folder / NEXT)
    durable.sync(folder / "keys")
    return public


def _write(file: Path, text: str, mode: int) -> None:
    new = file.with_name(f"{file.name}.new")
    durable.write(new, text.encode(), mode)
    _give_to_owner(new, file if file.exists() else file.with_name(Path(PUBLIC).name))
    os.replace(new, file)


def _give_to_owner(file: Path, like: Path) -> None:
    """Leave a file to the account that has another one: root may run the command for it."""
    with suppress(FileNotFoundError):
        found = like.stat()
        if (found.st_uid, found.st_gid) != (file.stat().st_uid, file.stat().st_gid):
            os.chown(file, found.st_uid, found.st_gid)
