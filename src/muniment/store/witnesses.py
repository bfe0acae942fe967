"""Asks a witness to sign what it sees of the ledger (C2SP tlog-witness, add-checkpoint).

A witness signs only what grew out of what it signed before. One that has seen more than we have tells us that our
ledger is older than it was.
"""

import base64
from collections.abc import Callable

from muniment.errors import HttpError, LedgerError, StoreError
from muniment.http.client import send_request
from muniment.ledger import notes
from muniment.ledger.keys import read_public
from muniment.store.settings import Witness

Prove = Callable[[int], tuple[bytes, ...]]  # that the ledger grew out of its first so many entries

_SECONDS = 10
_LARGEST = 1 << 16
_CONFLICT = 409


def ask(witness: Witness, checkpoint: bytes, size: int, prove: Prove) -> str:
    """The witness' signature lines for `checkpoint`, of a ledger of `size`, verified with its key.

    Raises StoreError if it cannot be reached or answers something else, LedgerError if it has seen a larger ledger.
    """
    code, body = _add(witness, 0, (), checkpoint)
    if code == _CONFLICT:
        seen = _size(witness, body)
        if seen > size:
            raise LedgerError(
                f"the witness {_name(witness)} has seen {seen} entries, and this ledger has {size}",
                "The ledger is older than it was: restore the newest copy, or run: "
                "muniment ledger reconcile --home DIR --reason TEXT",
            )
        code, body = _add(witness, seen, prove(seen), checkpoint)
    if code != 200:
        raise _refused(witness, f"it answered {code}")
    lines = body.decode("utf-8", "replace")
    note = notes.parse(notes.with_signatures(checkpoint, lines))
    if notes.cosigned(note, witness.key) is None:
        raise _refused(witness, "what it sent is not its signature")
    own = read_public(witness.key)
    return "".join(line for line in lines.splitlines(keepends=True) if f" {own.name} " in line)


def _add(witness: Witness, old: int, proof: tuple[bytes, ...], checkpoint: bytes) -> tuple[int, bytes]:
    """The answer to one add-checkpoint: its code and its body."""
    lines = [f"old {old}", *(base64.b64encode(part).decode() for part in proof), "", ""]
    url, data = witness.url.rstrip("/") + "/add-checkpoint", "\n".join(lines).encode() + checkpoint
    try:
        answer = send_request("POST", url, data, seconds=_SECONDS, largest=_LARGEST, plain=True)
    except HttpError as error:
        raise _refused(witness, error.message) from None
    return answer.status, answer.body


def _size(witness: Witness, body: bytes) -> int:
    text = body.decode("ascii", "replace").strip()
    if not text.isdigit() or len(text) > 18:
        raise _refused(witness, "it did not say how much it has seen")
    return int(text)


def _name(witness: Witness) -> str:
    return read_public(witness.key).name


def _refused(witness: Witness, why: str) -> StoreError:
    return StoreError(f"the witness {_name(witness)} did not sign ({why})", "Try again later, or look at [[witness]].")
