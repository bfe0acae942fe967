"""Newest known state of each change, by which an older or incomplete answer is detected."""

from msgspec import structs

from muniment.errors import ForgeCode, ForgeError
from muniment.forges.gitlab import notes, wire
from muniment.forges.gitlab.client import second_start
from muniment.forges.shapes import Change, ForgeRepository


class KnownStates:
    """Newest known state of each change, and how many notes of GitLab's own there were."""

    def __init__(self) -> None:
        self._newest: dict[tuple[str, int], str] = {}
        self._noted: dict[tuple[str, int], int] = {}

    def is_stale(self, repository: ForgeRepository, change: Change, since: str = "") -> bool:
        """Whether an answer is older than a known state, or than `since`.

        Known is only what was read: a wrong `since` denies this reading, and no later one.
        """
        key = (repository.id, change.number)
        before = self._newest.get(key, "")
        self._newest[key] = max(before, change.updated)
        return change.updated < max(before, second_start(since) if since else "")

    def check_system_notes(
        self, repository: ForgeRepository, number: int, all_notes: tuple[wire.DiscussionNote, ...]
    ) -> tuple[wire.DiscussionNote, ...]:
        """GitLab's own notes. Raises if there are fewer than before."""
        own, key = notes.select_system_notes(all_notes), (repository.id, number)
        if len(own) < self._noted.get(key, 0):
            raise ForgeError(
                ForgeCode.CHANGED_MEANWHILE, "GitLab returned less activity than before", "It is read again."
            )
        self._noted[key] = len(own)
        return own


def is_same_state(one: Change, other: Change) -> bool:
    """Whether two answers show one state, from two APIs: labels in any order, bots marked or not."""
    return _normalize_change(one) == _normalize_change(other)


def _normalize_change(change: Change) -> Change:
    opener = structs.replace(change.opener, machine=False)
    return structs.replace(change, opener=opener, labels=tuple(sorted(change.labels)))
