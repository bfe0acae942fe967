"""What was seen of each change before: an answer that is older, or tells of less, is known by it."""

from msgspec import structs

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.gitlab import notes, wire
from muniment.forges.gitlab.client import begun
from muniment.forges.shapes import Change, Repo


class Seen:
    """The newest state of each change, and how many of GitLab's own notes there were."""

    def __init__(self) -> None:
        self._newest: dict[tuple[str, int], str] = {}
        self._noted: dict[tuple[str, int], int] = {}

    def older(self, repository: Repo, found: Change, since: str = "") -> bool:
        """Whether it was touched later than it says: as we saw, or as `since` says."""
        key = (repository.id, found.number)
        before = max(self._newest.get(key, ""), begun(since) if since else "")
        self._newest[key] = max(before, found.updated)
        return found.updated < before

    def own(self, repository: Repo, number: int, said: tuple[wire.Note, ...]) -> tuple[wire.Note, ...]:
        """GitLab's own notes, of which there are never fewer than there were."""
        own, key = notes.own(said), (repository.id, number)
        if len(own) < self._noted.get(key, 0):
            raise ForgeError(
                ForgeCode.CHANGED_MEANWHILE, "GitLab returned less activity than before", "It is read again."
            )
        self._noted[key] = len(own)
        return own


def same(one: Change, other: Change) -> bool:
    """Whether two answers tell of one state, be it in two ways: labels in any order, and bots as such or not."""
    return _plain(one) == _plain(other)


def _plain(change: Change) -> Change:
    opener = structs.replace(change.opener, machine=False)
    return structs.replace(change, opener=opener, labels=tuple(sorted(change.labels)))
