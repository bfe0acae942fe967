"""Carry-over of approvals to another head: each single condition can prevent it."""

from muniment.controls.approval_carryover import CarryoverKind, find_carryover
from muniment.facts.change import ApprovedHead, Commit
from tests.support.changes import BASE, commit, oid

F = commit(2, tree=50)


def approved(*commits: Commit, merged: int = 60, replayed: tuple[int, ...] = ()) -> ApprovedHead:
    """`commits` approved at the first of them, with the tree of its machine merge and those of its replay."""
    return ApprovedHead(commits[0].id, commits, oid(merged), tuple(map(oid, replayed)))


def test_machine_made_commits_are_merge_or_squash_or_all_replayed_commits() -> None:
    merge, squash = commit(1, BASE, F.id, tree=60), commit(1, tree=60)
    older, newer = commit(5, tree=59), commit(6, oid(5), tree=60)
    first = commit(3, tree=40)
    second = commit(4, first.id, tree=41)
    by_merge = find_carryover((merge, F), merge.id, approved(F))
    by_squash = find_carryover((squash,), squash.id, approved(F))
    by_replay = find_carryover((newer, older), newer.id, approved(second, first, replayed=(58, 59, 60)))
    assert by_merge
    assert by_squash
    assert by_replay
    assert [(one.kind, one.made) for one in (by_merge, by_squash, by_replay)] == [
        (CarryoverKind.MERGE, frozenset({merge.id})),
        (CarryoverKind.SQUASH, frozenset({squash.id})),
        (CarryoverKind.REBASE, frozenset({newer.id, older.id})),
    ]


def test_approval_does_not_carry_to_same_head() -> None:
    assert find_carryover((F,), F.id, ApprovedHead(F.id, (), F.tree, ())) is None


def test_no_approval_carries_without_machine_merge() -> None:
    head = Commit(oid(1), "", (BASE,), ())
    assert find_carryover((head,), head.id, ApprovedHead(F.id, (F,), "", ())) is None


def test_refuses_merge_with_equal_parents() -> None:
    for parents in ((F.id, F.id), (F.id, F.id, BASE), (F.id,)):
        head = commit(1, *parents, tree=60)
        assert find_carryover((head, F), head.id, approved(F)) is None


def test_merge_with_older_commit_of_change_does_not_carry() -> None:
    newer = commit(3, F.id, tree=51)
    head = commit(1, F.id, newer.id, tree=60)
    assert find_carryover((head, newer, F), head.id, approved(newer, F)) is None


def test_merge_with_unapproved_commit_does_not_carry() -> None:
    head = commit(1, BASE, F.id, tree=60)
    assert find_carryover((head, commit(8), F), head.id, approved(F)) is None


def test_commits_on_top_of_approved_ones_are_no_replay() -> None:
    middle = commit(3, F.id, tree=55)
    head = commit(1, middle.id, tree=60)
    assert find_carryover((head, middle, F), head.id, approved(F, replayed=(49, 50, 55, 60))) is None


def test_replay_with_further_commits_does_not_carry() -> None:
    older, newer = commit(5, tree=59), commit(6, oid(5), tree=60)
    second = commit(4, F.id, tree=41)
    assert find_carryover((newer, older), newer.id, approved(second, F, replayed=(58, 59, 60, 61))) is None


def test_history_with_merge_is_no_replay() -> None:
    merge = commit(5, BASE, oid(8), tree=59)
    newer = commit(6, merge.id, tree=60)
    second = commit(4, F.id, tree=41)
    assert find_carryover((newer, merge), newer.id, approved(second, F, replayed=(58, 59, 60))) is None
