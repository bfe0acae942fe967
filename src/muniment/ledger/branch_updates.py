"""Updates of branches, from the ledger alone: every commit, and the decision that allowed it, or that none did.

A watched branch at a forge has a record for each step (`record_kinds.BranchUpdateRecord`). A server hook records
decisions and, after them, the refs that a push updated, or that bypassed it. Both give the same rows.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from msgspec import Struct

from muniment.errors import LedgerError, NotCanonicalError
from muniment.facts import canonical
from muniment.facts.paths import encode_path
from muniment.ledger import record_kinds, record_objects

T = TypeVar("T")

GetObject = Callable[[str], bytes | None]  # an object by its digest, None where there is none or it was erased


class RecordedBranchUpdate(Struct, frozen=True):
    """A branch update: it took `commit` over `previous_commit`, with `commits` (newest first; empty if not recorded).

    `status` is `allowed`, `bypass` or `baseline`. `position` is its place in the ledger, `decision_position` that of
    the decision which allowed it, -1 if there is none or it is in another ledger.
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


def list_branch_updates(
    records: Iterable[tuple[int, record_kinds.AnyEntry]], get_object: GetObject
) -> Iterator[RecordedBranchUpdate]:
    """Branch updates in the order of the ledger. `records` are all its entries with their places."""
    hooks = _HookDecisions(get_object)
    decisions: dict[str, int] = {}
    for place, entry in records:
        match entry:
            case record_kinds.DecisionRecord():
                hooks.add_decision(place, entry)
                if entry.outcome == "allow":
                    decisions[entry.object] = place
            case record_kinds.BranchUpdateRecord():
                yield _convert_update(place, entry, decisions, get_object)
            case record_kinds.RefUpdateRecord() | record_kinds.HookBypassRecord():
                yield from hooks.convert_updates(place, entry)
            case _:
                pass


def _convert_update(
    place: int, entry: record_kinds.BranchUpdateRecord, decisions: dict[str, int], get: GetObject
) -> RecordedBranchUpdate:
    details = _decode_object(entry.object, record_objects.BranchUpdate, get)
    return RecordedBranchUpdate(
        place,
        entry.time,
        entry.repository,
        _decode_ref(entry.target),
        entry.commit,
        entry.previous_commit,
        entry.status,
        decisions.get(entry.decision, -1),
        details.commits if details is not None else (),
    )


class _HookDecisions:
    """Decisions of server hooks so far. A branch without any decision is free, and its updates are not listed."""

    def __init__(self, get: GetObject) -> None:
        self._get = get
        self._names: dict[tuple[str, str], str] = {}
        self._allowed: dict[tuple[str, str, str], int] = {}

    def add_decision(self, place: int, entry: record_kinds.DecisionRecord) -> None:
        self._names[entry.repository_location, entry.target] = entry.repository
        if entry.outcome == "allow":
            self._allowed[entry.repository_location, entry.target, entry.head] = place

    def convert_updates(
        self, place: int, entry: record_kinds.RefUpdateRecord | record_kinds.HookBypassRecord
    ) -> Iterator[RecordedBranchUpdate]:
        """Updates of refs: as they were pushed, or past the server hook."""
        details = _decode_object(entry.object, record_objects.RefUpdates, self._get)
        for update in details.updates if details is not None else ():
            name = self._names.get((entry.repository_location, update.ref))
            if name is not None:
                past = isinstance(entry, record_kinds.HookBypassRecord)
                decision = -1 if past else self._allowed.get((entry.repository_location, update.ref, update.new), -1)
                how = "allowed" if decision >= 0 else "bypass"
                ref = _decode_ref(update.ref)
                yield RecordedBranchUpdate(place, entry.time, name, ref, update.new, update.old, how, decision, ())


def _decode_object(digest: str, shape: type[T], get: GetObject) -> T | None:
    data = get(digest)
    try:
        return None if data is None else canonical.decode(data, shape)
    except NotCanonicalError as error:
        raise LedgerError(
            f"the object {digest} is not what its entry says: {error.message}", "Restore objects/ from a backup."
        ) from error


def _decode_ref(ref: str) -> str:
    return encode_path(ref).decode("utf-8", "replace")
