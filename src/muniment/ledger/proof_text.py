"""Proofs as text: C2SP tlog-proof for an entry, and the like for growth. The checkpoint stands below the proof."""

import base64
import re

from msgspec import Struct

from muniment.errors import LedgerError
from muniment.ledger.merkle_tree import HASH_SIZE

_INCLUSION, _CONSISTENCY = "c2sp.org/tlog-proof@v1", "muniment/tlog-consistency@v1"
_NUMBER = re.compile("0|[1-9][0-9]{0,17}")


class InclusionProof(Struct, frozen=True):
    """Proof that the entry at `index` is in the ledger of `checkpoint` (a signed note, not verified)."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes


def format_inclusion(index: int, path: tuple[bytes, ...], checkpoint: str) -> str:
    """Text of a proof that an entry is in the ledger."""
    return "\n".join((_INCLUSION, f"index {index}", *map(_encode_hash, path), "", checkpoint))


def format_consistency(old: int, path: tuple[bytes, ...], checkpoint: str) -> str:
    """Text of a proof that the ledger grew out of its first `old` entries."""
    return "\n".join((_CONSISTENCY, f"old {old}", *map(_encode_hash, path), "", checkpoint))


def parse_inclusion(text: str) -> InclusionProof:
    """Proof in `text`. Raises LedgerError if it is none."""
    head, blank, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    name, _, number = lines[1].partition(" ") if len(lines) > 1 else ("", "", "")
    try:
        path = tuple(base64.b64decode(line, validate=True) for line in lines[2:])
    except ValueError as error:
        raise _no_proof_error() from error
    sizes = {len(part) for part in path}
    if lines[0] != _INCLUSION or name != "index" or not _NUMBER.fullmatch(number) or sizes - {HASH_SIZE} or not blank:
        raise _no_proof_error()
    return InclusionProof(int(number), path, checkpoint.encode())


def _encode_hash(part: bytes) -> str:
    return base64.b64encode(part).decode()


def _no_proof_error() -> LedgerError:
    return LedgerError(
        "this is no proof that an entry is in a ledger", "Make one with: muniment ledger prove N --home DIR"
    )
