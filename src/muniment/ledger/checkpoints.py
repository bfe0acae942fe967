"""A checkpoint: the ledger's name, size and root, signed with the ledger's key (C2SP tlog-checkpoint)."""

import base64
import re

from msgspec import Struct

from muniment.errors import LedgerError, ParseError
from muniment.ledger import ledger_keys, signed_notes
from muniment.ledger.merkle_tree import HASH_SIZE

_SIZE = re.compile("0|[1-9][0-9]{0,17}")


class Checkpoint(Struct, frozen=True):
    """`origin` is the name of the ledger's key, `root` the 32 bytes of its tree's root."""

    origin: str
    size: int
    root: bytes


def make_checkpoint_text(checkpoint: Checkpoint) -> str:
    """Text of the checkpoint that is signed."""
    return f"{checkpoint.origin}\n{checkpoint.size}\n{base64.b64encode(checkpoint.root).decode()}\n"


def sign_checkpoint(size: int, root: bytes, private_key: str) -> bytes:
    """The checkpoint of a ledger as a signed note. Raises ParseError for an invalid key, and never shows it."""
    origin = ledger_keys.parse_public_key(ledger_keys.derive_public_key(private_key)).name
    return signed_notes.sign_note(make_checkpoint_text(Checkpoint(origin, size, root)), private_key)


def read_unverified_checkpoint(data: bytes) -> Checkpoint:
    """Content of a checkpoint, without verifying its signature. Raises LedgerError unless it is one."""
    lines = signed_notes.parse_note(data).text.split("\n")
    try:
        root = base64.b64decode(lines[2], validate=True) if len(lines) > 3 else b""
    except ValueError:
        root = b""
    if len(root) != HASH_SIZE or not _SIZE.fullmatch(lines[1]):
        raise LedgerError("the checkpoint is malformed", "Use the checkpoint of this ledger.")
    return Checkpoint(lines[0], int(lines[1]), root)


def read_checkpoint(data: bytes, public: str) -> Checkpoint:
    """The checkpoint in `data`. Raises LedgerError unless it is one, signed by the holder of `public`."""
    note = signed_notes.parse_note(data)
    lines = note.text.split("\n")
    try:
        key = ledger_keys.parse_public_key(public)
        root = base64.b64decode(lines[2], validate=True) if len(lines) > 3 else b""
        by_us = signed_notes.is_note_signed(note, public)
    except (ParseError, ValueError) as error:
        raise LedgerError(f"the checkpoint cannot be verified: {error}", "Use the ledger's own public key.") from error
    if not by_us:
        raise LedgerError("the checkpoint is not signed with this key", "Use the ledger's own public key.")
    if lines[0] != key.name or not _SIZE.fullmatch(lines[1]) or len(root) != HASH_SIZE:
        raise LedgerError("the checkpoint is malformed, or of another ledger", "Use the checkpoint of this ledger.")
    return Checkpoint(lines[0], int(lines[1]), root)
