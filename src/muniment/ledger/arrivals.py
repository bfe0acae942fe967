"""What branches took, from the ledger alone: every commit, and the decision that allowed it, or that none did.

A watched branch at a forge has an entry for each step (`entries.Arrived`). A gate on a git server records decisions
and, after them, which refs took what was pushed, or moved past it. Both are told in the same rows.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from muniment.facts.paths import to_bytes
from muniment.ledger import entries, objects

Get = Callable[[str], bytes | None]  # an object by its digest, None where there is none or it was erased


class Took(Struct, frozen=True):
    """A branch took `commit` over `before`, and `commits` by it (newest first; empty if nobody recorded them).

    `how` is `allowed`, `escape` or `begun`. `entry` is its place in the ledger, `decision` that of the decision which
    allowed it, -1 if there is none or it is in another ledger.
    """

    entry: int
    time: str
    repository: str
    ref: str
    commit: str
    before: str
    how: str
    decision: int
    commits: tuple[str, ...]


def took(found: Iterable[tuple[int, entries.AnyEntry]], get: Get) -> Iterator[Took]:
    """The rows, in the order of the ledger. `found` are all its entries with their places."""
    gates = _Gates(get)
    decisions: dict[str, int] = {}
    for place, entry in found:
        match entry:
            case entries.Judged():
                gates.judged(place, entry)
                if entry.outcome == "allow":
                    decisions[entry.object] = place
            case entries.Arrived():
                yield _arrived(place, entry, decisions, get)
            case entries.Landed() | entries.Moved():
                yield from gates.updated(place, entry)
            case _:
                pass


def _arrived(place: int, entry: entries.Arrived, decisions: dict[str, int], get: Get) -> Took:
    beside = _decoded(entry.object, objects.Arrival, get)
    return Took(
        place,
        entry.time,
        entry.repository,
        _plain(entry.target),
        entry.commit,
        entry.before,
        entry.how,
        decisions.get(entry.decision, -1),
        beside.commits if beside is not None else (),
    )


class _Gates:
    """What gates decided so far. A branch that none of them ever judged is free, and nothing is told of it."""

    def __init__(self, get: Get) -> None:
        self._get = get
        self._names: dict[tuple[str, str], str] = {}
        self._allowed: dict[tuple[str, str, str], int] = {}

    def judged(self, place: int, entry: entries.Judged) -> None:
        """One more decision."""
        self._names[entry.place, entry.target] = entry.repository
        if entry.outcome == "allow":
            self._allowed[entry.place, entry.target, entry.head] = place

    def updated(self, place: int, entry: entries.Landed | entries.Moved) -> Iterator[Took]:
        """What became of refs: taken as it was pushed, or moved past the gate."""
        beside = _decoded(entry.object, objects.Refs, self._get)
        for update in beside.updates if beside is not None else ():
            name = self._names.get((entry.place, update.ref))
            if name is not None:
                past = isinstance(entry, entries.Moved)
                decision = -1 if past else self._allowed.get((entry.place, update.ref, update.new), -1)
                how = "allowed" if decision >= 0 else "escape"
                ref = _plain(update.ref)
                yield Took(place, entry.time, name, ref, update.new, update.old, how, decision, ())


def _decoded(digest: str, shape: Any, get: Get) -> Any:
    data = get(digest)
    return None if data is None else msgspec.json.decode(data, type=shape)


def _plain(ref: str) -> str:
    return to_bytes(ref).decode("utf-8", "replace")
