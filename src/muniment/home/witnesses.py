"""Asks a witness to sign what it sees of the ledger (C2SP tlog-witness, add-checkpoint).

A witness signs only what grew out of what it signed before. One that has seen more than we have tells us that our
ledger is older than it was.
"""

import base64
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from muniment.errors import HomeError, LedgerError
from muniment.home.settings import Witness
from muniment.ledger import notes
from muniment.ledger.keys import read_public

Prove = Callable[[int], tuple[bytes, ...]]  # that the ledger grew out of its first so many entries

_SECONDS = 10
_LARGEST = 1 << 16
_CONFLICT = 409


class _Straight(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: a witness is where home.toml says."""

    def redirect_request(self, *_: Any) -> None:
        return None


def ask(witness: Witness, checkpoint: bytes, size: int, prove: Prove) -> str:
    """The witness' signature lines for `checkpoint`, of a ledger of `size`, verified with its key.

    Raises HomeError if it cannot be reached or answers something else, LedgerError if it has seen a larger ledger.
    """
    code, body = _add(witness, 0, (), checkpoint)
    if code == _CONFLICT:
        seen = _size(witness, body)
        if seen > size:
            raise LedgerError(
                f"the witness {_name(witness)} has seen {seen} entries, and this ledger has {size}",
                "The ledger is older than it was: restore the newest copy, or run: muniment ledger reconcile",
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
    """The answer to one add-checkpoint: its code and at most 64 KiB of its body."""
    lines = [f"old {old}", *(base64.b64encode(part).decode() for part in proof), "", ""]
    url = witness.url.rstrip("/") + "/add-checkpoint"
    request = urllib.request.Request(url, data="\n".join(lines).encode() + checkpoint, method="POST")  # noqa: S310
    opener = urllib.request.build_opener(_Straight)
    try:
        with opener.open(request, timeout=_SECONDS) as answer:
            return answer.status, answer.read(_LARGEST)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(_LARGEST)
    except (OSError, ValueError) as error:
        raise _refused(witness, f"it cannot be reached: {type(error).__name__}") from error


def _size(witness: Witness, body: bytes) -> int:
    text = body.decode("ascii", "replace").strip()
    if not text.isdigit() or len(text) > 18:
        raise _refused(witness, "it did not say how much it has seen")
    return int(text)


def _name(witness: Witness) -> str:
    return read_public(witness.key).name


def _refused(witness: Witness, why: str) -> HomeError:
    return HomeError(f"the witness {_name(witness)} did not sign ({why})", "Try again later, or look at [[witness]].")
