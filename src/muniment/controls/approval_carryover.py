"""Carryover of approvals from one head to another: only if a machine, and nothing else, separates the two.

Design, section 6: the new head's tree is the clean machine merge of the base and the approved head, and base..head
holds nothing but the approved commits plus one merge, or one squash of them, or all of them replayed one by one.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import pairwise

from msgspec import Struct

from muniment.facts.change import ApprovedHead, Commit


class CarryoverKind(StrEnum):
    """Way in which a machine took an approved head over."""

    MERGE = "merge"
    SQUASH = "squash"
    REBASE = "rebase"


class Carryover(Struct, frozen=True):
    """Approved head whose approvals carry over. `made` are the commits that a machine would have made alike."""

    head: str
    kind: CarryoverKind
    made: frozenset[str]
    commits: tuple[Commit, ...]


def find_carryover(own: Sequence[Commit], head: str, approved: ApprovedHead) -> Carryover | None:
    """Find how `approved` carries over to `head`, whose commits over the base are `own`, newest first; None if it does
    not.
    """
    commits = {commit.id: commit for commit in own}
    if head == approved.head or head not in commits or not approved.merged_tree:
        return None
    if commits[head].tree != approved.merged_tree:
        return None
    shape = _find_kind(commits, head, approved)
    if shape is None:
        return None
    made = frozenset(commits) if shape is CarryoverKind.REBASE else frozenset((head,))
    return Carryover(approved.head, shape, made, approved.commits)


def _find_kind(own: Mapping[str, Commit], head: str, approved: ApprovedHead) -> CarryoverKind | None:
    theirs = {commit.id for commit in approved.commits}
    parents = own[head].parents
    if own.keys() - theirs == {head} and approved.head in parents:
        other = [parent for parent in parents if parent != approved.head]
        return CarryoverKind.MERGE if len(parents) == 2 and len(other) == 1 and other[0] not in own else None
    if own.keys() & theirs:
        return None
    line = _find_line(own, head)
    if line is None:
        return None
    if len(line) == 1:
        return CarryoverKind.SQUASH
    return CarryoverKind.REBASE if _is_replay(line, approved.replayed_trees) else None


def _find_line(own: Mapping[str, Commit], head: str) -> list[Commit] | None:
    """Commits of `own` oldest first, if each has one parent and they are one chain that ends in `head`."""
    line: list[Commit] = []
    at = head
    while at in own and len(own[at].parents) == 1:
        line.append(own[at])
        at = own[at].parents[0]
    return line[::-1] if len(line) == len(own) else None


def _is_replay(line: Sequence[Commit], replayed: Sequence[str]) -> bool:
    """Whether the trees of `line` are those of the machine's replay (`ApprovedHead.replayed_trees`).

    A commit that changes nothing once replayed may be missing from `line`, as `git rebase` drops it.
    """
    at = 0
    for before, tree in pairwise(replayed):
        if at < len(line) and line[at].tree == tree:
            at += 1
        elif tree != before:
            return False
    return at == len(line)
