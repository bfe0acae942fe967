"""Updates of branches, from the ledger alone: every commit, and the decision that allowed it, or that none did.

A watched branch at a forge has a record for each step (`entries.BranchUpdateRecord`). A gate on a git server records
decisions and, after them, which refs updated by a push, or moved past it. Both are told in the same rows.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from msgspec import Struct

from muniment.errors import LedgerError, NotCanonicalError
from muniment.facts import canonical
from muniment.facts.paths import to_bytes
from muniment.ledger import entries, objects

T = TypeVar("T")

Get = Callable[[str], bytes | None]  # an object by its digest, None where there is none or it was erased


class RecordedBranchUpdate(Struct, frozen=True):
    """A branch took `commit` over `before`, and `commits` by it (newest first; empty if nobody recorded them).

    `how` is `allowed`, `bypass` or `baseline`. `entry` is its place in the ledger, `decision` that of the decision
    which allowed it, -1 if there is none or it is in another ledger.
    """

    position: int
    time: str
    repository: str
    ref: str
    commit: str
    previous_commit: str
    status: str
    decision_position: int
    commits: tuple[str, ...]


def took(found: Iterable[tuple[int, entries.AnyEntry]], get: Get) -> Iterator[RecordedBranchUpdate]:
    """The rows, in the order of the ledger. `found` are all its entries with their places."""
    gates = _Gates(get)
    decisions: dict[str, int] = {}
    for place, entry in found:
        match entry:
            case entries.DecisionRecord():
                gates.judged(place, entry)
                if entry.outcome == "allow":
                    decisions[entry.object] = place
            case entries.BranchUpdateRecord():
                yield _arrived(place, entry, decisions, get)
            case entries.RefUpdateRecord() | entries.HookBypassRecord():
                yield from gates.updated(place, entry)
            case _:
                pass


def _arrived(
    place: int, entry: entries.BranchUpdateRecord, decisions: dict[str, int], get: Get
) -> RecordedBranchUpdate:
    beside = _decoded(entry.object, objects.BranchUpdate, get)
    return RecordedBranchUpdate(
        place,
        entry.time,
        entry.repository,
        _plain(entry.target),
        entry.commit,
        entry.previous_commit,
        entry.status,
        decisions.get(entry.decision, -1),
        beside.commits if beside is not None else (),
    )


class _Gates:
    """What gates decided so far. A branch that none of them ever judged is free, and nothing is told of it."""

    def __init__(self, get: Get) -> None:
        self._get = get
        self._names: dict[tuple[str, str], str] = {}
        self._allowed: dict[tuple[str, str, str], int] = {}

    def judged(self, place: int, entry: entries.DecisionRecord) -> None:
        """One more decision."""
        self._names[entry.repository_location, entry.target] = entry.repository
        if entry.outcome == "allow":
            self._allowed[entry.repository_location, entry.target, entry.head] = place

    def updated(
        self, place: int, entry: entries.RefUpdateRecord | entries.HookBypassRecord
    ) -> Iterator[RecordedBranchUpdate]:
        """What became of refs: taken as it was pushed, or moved past the gate."""
        beside = _decoded(entry.object, objects.RefUpdates, self._get)
        for update in beside.updates if beside is not None else ():
            name = self._names.get((entry.repository_location, update.ref))
            if name is not None:
                past = isinstance(entry, entries.HookBypassRecord)
                decision = -1 if past else self._allowed.get((entry.repository_location, update.ref, update.new), -1)
                how = "allowed" if decision >= 0 else "bypass"
                ref = _plain(update.ref)
                yield RecordedBranchUpdate(place, entry.time, name, ref, update.new, update.old, how, decision, ())


def _decoded(digest: str, shape: type[T], get: Get) -> T | None:
    data = get(digest)
    try:
        return None if data is None else canonical.decode(data, shape)
    except NotCanonicalError as error:
        raise LedgerError(
            f"the object {digest} is not what its entry says: {error.message}", "Restore objects/ from a backup."
        ) from error


def _plain(ref: str) -> str:
    return to_bytes(ref).decode("utf-8", "replace")
