"""Requests signatures of witnesses for the ledger's checkpoints (C2SP tlog-witness, add-checkpoint).

A witness signs only a ledger that grew out of the one it signed before. A witness with a larger ledger shows that ours
is older than it was.
"""

import base64
from collections.abc import Callable

from muniment.errors import HttpError, LedgerError, StoreError
from muniment.http.client import send_request
from muniment.ledger import signed_notes
from muniment.ledger.ledger_keys import parse_public_key
from muniment.store.settings import WitnessKey

ProveGrowth = Callable[[int], tuple[bytes, ...]]  # that the ledger grew out of its first so many entries

_SECONDS = 10
_LARGEST = 1 << 16
_CONFLICT = 409


def request_cosignature(witness: WitnessKey, checkpoint: bytes, size: int, prove_growth: ProveGrowth) -> str:
    """The witness' signature lines for `checkpoint`, of a ledger of `size`, verified with its key.

    Raises StoreError if it cannot be reached or its answer is invalid, LedgerError if it has seen a larger ledger.
    """
    code, body = _add_checkpoint(witness, 0, (), checkpoint)
    if code == _CONFLICT:
        seen = _parse_size(witness, body)
        if seen > size:
            raise LedgerError(
                f"the witness {_witness_name(witness)} has seen {seen} entries, and this ledger has {size}",
                "The ledger is older than it was: restore the newest copy, or run: "
                "muniment ledger reconcile --home DIR --reason TEXT",
            )
        code, body = _add_checkpoint(witness, seen, prove_growth(seen), checkpoint)
    if code != 200:
        raise _refusal_error(witness, f"it answered {code}")
    lines = body.decode("utf-8", "replace")
    note = signed_notes.parse_note(signed_notes.add_signatures(checkpoint, lines))
    if signed_notes.find_cosignature_time(note, witness.key) is None:
        raise _refusal_error(witness, "what it sent is not its signature")
    own = parse_public_key(witness.key)
    return "".join(line for line in lines.splitlines(keepends=True) if f" {own.name} " in line)


def _add_checkpoint(witness: WitnessKey, old: int, proof: tuple[bytes, ...], checkpoint: bytes) -> tuple[int, bytes]:
    """Answer to one add-checkpoint: its code and its body."""
    lines = [f"old {old}", *(base64.b64encode(part).decode() for part in proof), "", ""]
    url, data = witness.url.rstrip("/") + "/add-checkpoint", "\n".join(lines).encode() + checkpoint
    try:
        answer = send_request("POST", url, data, seconds=_SECONDS, largest=_LARGEST, plain=True)
    except HttpError as error:
        raise _refusal_error(witness, error.message) from None
    return answer.status, answer.body


def _parse_size(witness: WitnessKey, body: bytes) -> int:
    text = body.decode("ascii", "replace").strip()
    if not text.isdigit() or len(text) > 18:
        raise _refusal_error(witness, "it did not say how much it has seen")
    return int(text)


def _witness_name(witness: WitnessKey) -> str:
    return parse_public_key(witness.key).name


def _refusal_error(witness: WitnessKey, why: str) -> StoreError:
    return StoreError(
        f"the witness {_witness_name(witness)} did not sign ({why})", "Try again later, or look at [[witness]]."
    )
