"""Finds what no event told of: changes that are other than they were read, and statuses that are not what we show.

It judges nothing: it names what has to be looked at again. A list that is not whole ends the pass, and nothing is
taken to be well.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol

from msgspec import Struct

from muniment.forges.forge import Reader
from muniment.forges.shapes import Account, Change, Check, Repo, State
from muniment.forges.statuses import Saying, Status

_SHOWN_AS = {
    Saying.PENDING: frozenset({"pending"}),
    Saying.ALLOWED: frozenset({"success"}),
    Saying.DENIED: frozenset({"failure", "error"}),
}


class Kept(Struct, frozen=True):
    """What is kept of an open change: as it was read last, and whether a reading or a showing is still owed."""

    updated: str
    head: str
    target: str
    owed: bool


class Shown(Protocol):
    """What we believe that the forge shows."""

    def shown(self, head: str, context: str) -> Status | None:
        """What the forge surely shows there; None if that is not known."""


class Forged(Struct, frozen=True):
    """Our verdict, posted on a head by an account that is not ours."""

    head: str
    context: str
    by: Account


def missed(
    reader: Reader, repository: Repo, kept: Mapping[int, Kept], judges: Callable[[str], bool] = bool
) -> tuple[int, ...]:
    """Numbers of the changes that are not as they were read: new, altered, gone, or still owed. Raises ForgeError.

    Those for branches of which `judges` says that nobody judges them are left alone, unless something stands for them;
    by default every branch is judged.
    """
    found = {change.number: change for change in reader.changes(repository, State.OPEN)}
    judged = {ref for ref in {change.target for change in found.values()} if judges(ref)}
    altered = [
        number
        for number, change in found.items()
        if (not _same(change, kept[number]) if number in kept else change.target in judged)
    ]
    gone = [number for number in kept if number not in found]
    return tuple(sorted({*altered, *gone}))


def _same(change: Change, kept: Kept) -> bool:
    return not kept.owed and (change.updated, change.head, change.target) == (kept.updated, kept.head, kept.target)


def statuses(
    posted: Collection[Check], head: str, contexts: Iterable[str], shown: Shown, ours: Account
) -> tuple[tuple[tuple[str, str], ...], tuple[Forged, ...]]:
    """Of what is `posted` on one head: the places where the forge shows other than we believe, and what others posted
    in our name."""
    lost: list[tuple[str, str]] = []
    forged: list[Forged] = []
    for context in contexts:
        here = [check for check in posted if check.context == context]
        forged += [Forged(head, context, check.by) for check in here if not _is_ours(check, ours)]
        believed = shown.shown(head, context)
        as_believed = believed is not None and [check.state in _SHOWN_AS[believed.saying] for check in here] == [True]
        if not as_believed or not _is_ours(here[0], ours):
            lost.append((head, context))
    return tuple(lost), tuple(forged)


def _is_ours(check: Check, ours: Account) -> bool:
    return bool(ours.id) and check.by.id == ours.id
