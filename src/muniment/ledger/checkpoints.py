"""A checkpoint: the ledger's name, size and root, signed with the ledger's key (C2SP tlog-checkpoint)."""

import base64
import re

from msgspec import Struct

from muniment.errors import LedgerError, ParseError
from muniment.ledger import keys, notes
from muniment.ledger.tree import HASH_SIZE

_SIZE = re.compile("0|[1-9][0-9]{0,17}")


class Checkpoint(Struct, frozen=True):
    """`origin` is the name of the ledger's key, `root` the 32 bytes of its tree's root."""

    origin: str
    size: int
    root: bytes


def text(checkpoint: Checkpoint) -> str:
    """Text of the checkpoint that is signed."""
    return f"{checkpoint.origin}\n{checkpoint.size}\n{base64.b64encode(checkpoint.root).decode()}\n"


def signed(size: int, root: bytes, private: str) -> bytes:
    """The checkpoint of a ledger as a signed note. Raises ParseError if the key is none, and never shows it."""
    origin = keys.read_public(keys.public_of(private)).name
    return notes.sign(text(Checkpoint(origin, size, root)), private)


def read_unverified(data: bytes) -> Checkpoint:
    """What a checkpoint says, whoever signed it. Raises LedgerError unless it is one."""
    lines = notes.parse(data).text.split("\n")
    try:
        root = base64.b64decode(lines[2], validate=True) if len(lines) > 3 else b""
    except ValueError:
        root = b""
    if len(root) != HASH_SIZE or not _SIZE.fullmatch(lines[1]):
        raise LedgerError("the checkpoint is malformed", "Use the checkpoint of this ledger.")
    return Checkpoint(lines[0], int(lines[1]), root)


def read_checkpoint(data: bytes, public: str) -> Checkpoint:
    """The checkpoint in `data`. Raises LedgerError unless it is one, signed by the holder of `public`."""
    note = notes.parse(data)
    lines = note.text.split("\n")
    try:
        key = keys.read_public(public)
        root = base64.b64decode(lines[2], validate=True) if len(lines) > 3 else b""
        by_us = notes.verified(note, public)
    except (ParseError, ValueError) as error:
        raise LedgerError(f"the checkpoint cannot be verified: {error}", "Use the ledger's own public key.") from error
    if not by_us:
        raise LedgerError("the checkpoint is not signed with this key", "Use the ledger's own public key.")
    if lines[0] != key.name or not _SIZE.fullmatch(lines[1]) or len(root) != HASH_SIZE:
        raise LedgerError("the checkpoint is malformed, or of another ledger", "Use the checkpoint of this ledger.")
    return Checkpoint(lines[0], int(lines[1]), root)
