"""Pushes that a forge's list of pushes does not show: a ref has, or had, a commit that no listed push brought there.

An account may hide its activity, a ref outside branches and tags is in no list, and a fork may be private. So nobody
knows who pushed such a commit first.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct

from muniment.facts.maybe import Known
from muniment.forges.first_pushes import FirstPush
from muniment.forges.shapes import Move


class PushObservation(Struct, frozen=True):
    """A ref that has or had a commit (or a tag's id). `actor`: id of the account that a delivery names, else ""."""

    ref: str
    commit: str
    actor: str = ""


def list_starting_points(pushes: Iterable[Move]) -> tuple[PushObservation, ...]:
    """Commits from which pushes moved their refs: an earlier push brought each of them there."""
    return tuple(dict.fromkeys(PushObservation(push.ref, push.old) for push in pushes if push.ref and push.old))


def select_unexplained(
    observed: Iterable[PushObservation], pushes: Sequence[Move], commits: Mapping[str, str]
) -> tuple[PushObservation, ...]:
    """Select the observed pushes that none of `pushes` explains: to that ref and commit, by the account that is named.

    `commits`: commit that each head of `pushes` is, or names as a tag. An unknown pusher may be any account.
    """
    pushers: dict[tuple[str, str], set[str]] = {}
    for push in pushes:
        who = push.who.value.id if isinstance(push.who, Known) else ""
        for new in {push.new, commits.get(push.new, "")} - {""}:
            pushers.setdefault((push.ref, new), set()).add(who)
    return tuple(one for one in observed if not _is_explained(one, pushers.get((one.ref, one.commit), frozenset())))


def _is_explained(observed: PushObservation, pushers: Collection[str]) -> bool:
    return bool(pushers) and (not observed.actor or observed.actor in pushers or "" in pushers)


class BranchPushes(Struct, frozen=True):
    """Pushes to all branches of a repository, of which those to `ref` are looked for."""

    ref: str
    pushes: tuple[Move, ...]

    def brings_commit(self, commit: str, first_pushes: Mapping[str, FirstPush]) -> bool:
        """Whether one of them brought the commit, or made the branch from commits that were pushed before.

        A branch that a forge's page or API makes, or renames, has a push without a commit (`Move.new`). As its commit
        was pushed before the branch began, whoever moved the branch to it did not push it first.
        """
        own = [push for push in self.pushes if push.ref == self.ref]
        if any(push.new == commit for push in own):
            return True
        known = first_pushes.get(commit)
        begun = [push.at for push in own if not push.new]
        return known is not None and isinstance(known.who, Known) and any(known.at < at for at in begun[-1:])


class ChangeRefs:
    """Names of the refs under which a forge keeps the heads of changes, by the name of one of them."""

    def __init__(self, ref_of_first: str) -> None:
        """`ref_of_first`: ref of the change 1, such as `refs/pull/1/head`."""
        self._prefix, _, self._suffix = ref_of_first.rpartition("1")

    @property
    def ref_folder(self) -> str:
        """Folder of these refs, with a slash at its end."""
        return self._prefix

    def parse_number(self, ref: str) -> int:
        """Number of the change with this ref; 0 for any other ref."""
        number = ref.removeprefix(self._prefix).removesuffix(self._suffix)
        is_one = number.isascii() and number.isdigit() and ref == f"{self._prefix}{number}{self._suffix}"
        return int(number) if is_one else 0
