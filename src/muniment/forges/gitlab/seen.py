"""What was seen of each change before: an answer that is older, or tells of less, is known by it.

GraphQL tells whole seconds and REST more, so moments are compared by the coarser of the two.
"""

from msgspec import structs

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.gitlab import notes, wire
from muniment.forges.gitlab.client import second
from muniment.forges.shapes import Change, Repo


class Seen:
    """The newest state of each change, and how many of GitLab's own notes there were."""

    def __init__(self) -> None:
        self._newest: dict[tuple[str, int], str] = {}
        self._noted: dict[tuple[str, int], int] = {}

    def older(self, repository: Repo, found: Change, since: str = "") -> bool:
        """Whether it was touched later than it says: as we saw, or as `since` says."""
        key = (repository.id, found.number)
        before = max(self._newest.get(key, ""), since)
        self._newest[key] = max(before, found.updated)
        return _before(found.updated, before)

    def own(self, repository: Repo, number: int, said: tuple[wire.Note, ...]) -> tuple[wire.Note, ...]:
        """GitLab's own notes, of which there are never fewer than there were."""
        own, key = notes.own(said), (repository.id, number)
        if len(own) < self._noted.get(key, 0):
            raise ForgeError(
                ForgeCode.CHANGED_MEANWHILE, "GitLab tells of less activity than before", "It is read again."
            )
        self._noted[key] = len(own)
        return own


def same(one: Change, other: Change) -> bool:
    """Whether two answers tell of one state, where the moments of either may be whole seconds."""
    return _coarse(one) == _coarse(other)


def _coarse(change: Change) -> Change:
    """Without what the two ways tell differently: parts of seconds, the labels' order, whether an account is a bot."""
    return structs.replace(
        change,
        opener=structs.replace(change.opener, machine=False),
        labels=tuple(sorted(change.labels)),
        opened=second(change.opened),
        updated=second(change.updated),
    )


def _before(moment: str, other: str) -> bool:
    return second(moment) < second(other) if _whole(moment) or _whole(other) else moment < other


def _whole(moment: str) -> bool:
    return moment.endswith(".000000Z")
