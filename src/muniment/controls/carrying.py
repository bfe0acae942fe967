"""Whether approvals of one head carry to another: only if a machine, and nothing else, stands between the two.

Design, section 6: the new head's tree is the clean machine merge of the base and the approved head, and base..head
holds nothing but the approved commits plus one merge, or one squash of them, or all of them replayed one by one.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import pairwise

from msgspec import Struct

from muniment.facts.change import ApprovedHead, Commit


class Shape(StrEnum):
    """How a machine took an approved head over."""

    MERGE = "merge"
    SQUASH = "squash"
    REBASE = "rebase"


class Carried(Struct, frozen=True):
    """An approved head whose approvals carry. `made` are the commits that a machine would have made alike."""

    head: str
    shape: Shape
    made: frozenset[str]
    commits: tuple[Commit, ...]


def carried(own: Sequence[Commit], head: str, approved: ApprovedHead) -> Carried | None:
    """How `approved` carries to `head`, whose commits over the base are `own`, newest first; None if it does not."""
    commits = {commit.id: commit for commit in own}
    if head == approved.head or head not in commits or not approved.merged_tree:
        return None
    if commits[head].tree != approved.merged_tree:
        return None
    shape = _shape(commits, head, approved)
    if shape is None:
        return None
    made = frozenset(commits) if shape is Shape.REBASE else frozenset((head,))
    return Carried(approved.head, shape, made, approved.commits)


def _shape(own: Mapping[str, Commit], head: str, approved: ApprovedHead) -> Shape | None:
    theirs = {commit.id for commit in approved.commits}
    parents = own[head].parents
    if own.keys() - theirs == {head} and approved.head in parents:
        other = [parent for parent in parents if parent != approved.head]
        return Shape.MERGE if len(parents) == 2 and len(other) == 1 and other[0] not in own else None
    if own.keys() & theirs:
        return None
    line = _line(own, head)
    if line is None:
        return None
    if len(line) == 1:
        return Shape.SQUASH
    return Shape.REBASE if _replays(line, approved.replayed_trees) else None


def _line(own: Mapping[str, Commit], head: str) -> list[Commit] | None:
    """The commits of `own` oldest first, if each has one parent and they are one chain that ends in `head`."""
    line: list[Commit] = []
    at = head
    while at in own and len(own[at].parents) == 1:
        line.append(own[at])
        at = own[at].parents[0]
    return line[::-1] if len(line) == len(own) else None


def _replays(line: Sequence[Commit], replayed: Sequence[str]) -> bool:
    """Whether the trees of `line` are those of the machine's replay (`ApprovedHead.replayed`).

    A commit that changes nothing once replayed may be missing from `line`, as `git rebase` drops it.
    """
    at = 0
    for before, tree in pairwise(replayed):
        if at < len(line) and line[at].tree == tree:
            at += 1
        elif tree != before:
            return False
    return at == len(line)
