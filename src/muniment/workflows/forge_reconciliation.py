"""Find changes that no event reported as changed, and statuses that are not the published ones.

It evaluates nothing: it names changes to be read again. An incomplete list ends the pass, and nothing is assumed to be
well.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol

from msgspec import Struct

from muniment.forges.forge import Reader
from muniment.forges.shapes import Account, Change, ChangeState, Check, ForgeRepository
from muniment.forges.statuses import Status, StatusState

_SHOWN_AS = {
    StatusState.PENDING: frozenset({"pending"}),
    StatusState.ALLOWED: frozenset({"success"}),
    StatusState.DENIED: frozenset({"failure", "error"}),
}


class KnownChange(Struct, frozen=True):
    """Stored state of an open change: as it was read last, and whether a reading or a status is still owed."""

    updated: str
    head: str
    target: str
    owed: bool


class ShownStatuses(Protocol):
    """Statuses that the forge shows, as far as we know."""

    def shown_status(self, head: str, context: str) -> Status | None:
        """Status that the forge surely shows there; None if that is unknown."""


class ForgedStatus(Struct, frozen=True):
    """Status in our name, posted on a head by an account that is not ours."""

    head: str
    context: str
    by: Account


def find_missed_changes(
    reader: Reader,
    repository: ForgeRepository,
    known: Mapping[int, KnownChange],
    is_evaluated: Callable[[str], bool] = bool,
) -> tuple[int, ...]:
    """Numbers of the changes that are not as they were read: new, altered, gone, or still owed. Raises ForgeError.

    Changes for branches that `is_evaluated` does not accept are left alone, unless a status of theirs is shown.
    By default every branch is evaluated.
    """
    found = {change.number: change for change in reader.list_changes(repository, ChangeState.OPEN)}
    evaluated = {ref for ref in {change.target for change in found.values()} if is_evaluated(ref)}
    altered = [
        number
        for number, change in found.items()
        if (not _is_unchanged(change, known[number]) if number in known else change.target in evaluated)
    ]
    gone = [number for number in known if number not in found]
    return tuple(sorted({*altered, *gone}))


def _is_unchanged(change: Change, known: KnownChange) -> bool:
    return not known.owed and (change.updated, change.head, change.target) == (known.updated, known.head, known.target)


def compare_posted_statuses(
    posted: Collection[Check], head: str, contexts: Iterable[str], statuses: ShownStatuses, ours: Account
) -> tuple[tuple[tuple[str, str], ...], tuple[ForgedStatus, ...]]:
    """Compare the statuses `posted` on one head: the places where the forge shows another one, and those that others
    posted in our name.
    """
    lost: list[tuple[str, str]] = []
    forged: list[ForgedStatus] = []
    for context in contexts:
        here = [check for check in posted if check.context == context]
        forged += [ForgedStatus(head, context, check.by) for check in here if not _is_ours(check, ours)]
        believed = statuses.shown_status(head, context)
        as_believed = believed is not None and [check.state in _SHOWN_AS[believed.saying] for check in here] == [True]
        if not as_believed or not _is_ours(here[0], ours):
            lost.append((head, context))
    return tuple(lost), tuple(forged)


def _is_ours(check: Check, ours: Account) -> bool:
    return bool(ours.id) and check.by.id == ours.id
