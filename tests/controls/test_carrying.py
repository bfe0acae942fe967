"""When approvals carry to another head: each condition alone keeps them from it."""

from muniment.controls.carrying import Shape, carried
from muniment.facts.change import ApprovedHead, Commit
from tests.support.changes import BASE, commit, oid

F = commit(2, tree=50)


def approved(*commits: Commit, merged: int = 60, replayed: tuple[int, ...] = ()) -> ApprovedHead:
    """`commits` approved at the first of them, with the tree of its machine merge and those of its replay."""
    return ApprovedHead(commits[0].id, commits, oid(merged), tuple(map(oid, replayed)))


def test_what_the_machine_made_is_the_merge_or_the_squash_alone_and_every_commit_of_a_replay() -> None:
    merge, squash = commit(1, BASE, F.id, tree=60), commit(1, tree=60)
    older, newer = commit(5, tree=59), commit(6, oid(5), tree=60)
    first = commit(3, tree=40)
    second = commit(4, first.id, tree=41)
    by_merge = carried((merge, F), merge.id, approved(F))
    by_squash = carried((squash,), squash.id, approved(F))
    by_replay = carried((newer, older), newer.id, approved(second, first, replayed=(58, 59, 60)))
    assert by_merge
    assert by_squash
    assert by_replay
    assert [(one.shape, one.made) for one in (by_merge, by_squash, by_replay)] == [
        (Shape.MERGE, frozenset({merge.id})),
        (Shape.SQUASH, frozenset({squash.id})),
        (Shape.REBASE, frozenset({newer.id, older.id})),
    ]


def test_a_head_does_not_carry_to_itself() -> None:
    assert carried((F,), F.id, ApprovedHead(F.id, (), F.tree, ())) is None


def test_without_a_machine_merge_nothing_carries() -> None:
    head = Commit(oid(1), "", (BASE,), ())
    assert carried((head,), head.id, ApprovedHead(F.id, (F,), "", ())) is None


def test_a_merge_has_two_different_parents() -> None:
    for parents in ((F.id, F.id), (F.id, F.id, BASE), (F.id,)):
        head = commit(1, *parents, tree=60)
        assert carried((head, F), head.id, approved(F)) is None


def test_a_merge_with_an_older_commit_of_the_change_is_none() -> None:
    newer = commit(3, F.id, tree=51)
    head = commit(1, F.id, newer.id, tree=60)
    assert carried((head, newer, F), head.id, approved(newer, F)) is None


def test_a_merge_beside_an_unapproved_commit_is_none() -> None:
    head = commit(1, BASE, F.id, tree=60)
    assert carried((head, commit(8), F), head.id, approved(F)) is None


def test_commits_on_top_of_the_approved_ones_are_no_replay() -> None:
    middle = commit(3, F.id, tree=55)
    head = commit(1, middle.id, tree=60)
    assert carried((head, middle, F), head.id, approved(F, replayed=(49, 50, 55, 60))) is None


def test_a_replay_that_goes_on_is_another_one() -> None:
    older, newer = commit(5, tree=59), commit(6, oid(5), tree=60)
    second = commit(4, F.id, tree=41)
    assert carried((newer, older), newer.id, approved(second, F, replayed=(58, 59, 60, 61))) is None


def test_a_line_with_a_merge_in_it_is_no_replay() -> None:
    merge = commit(5, BASE, oid(8), tree=59)
    newer = commit(6, merge.id, tree=60)
    second = commit(4, F.id, tree=41)
    assert carried((newer, merge), newer.id, approved(second, F, replayed=(58, 59, 60))) is None
