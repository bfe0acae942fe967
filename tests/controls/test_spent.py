"""Which heads an evaluation includes, which approvals are spent, and who speaks last in one moment."""

from typing import Any

import pytest
from msgspec import structs

from muniment.controls import code_review
from muniment.controls.control import Case
from muniment.controls.included_heads import included_heads
from muniment.facts.change import ApprovedHead, Pushes
from muniment.facts.maybe import Known, Unknown
from muniment.facts.statements import LandedHead, LandedHeads, ReviewAction, StatementRecord
from tests.support.changes import HEAD, NOW, REVISION, approval, commit, facts, oid, values


def review(**changed: Any) -> code_review.CodeReview:
    return code_review.read(Case(values(**changed), None, NOW, {}))


def landed(head: int, *statements: int, all_before: int = -1) -> Known[LandedHeads]:
    """The approvals of bob and sue were recorded at these positions, and the branch took the head at another."""
    ids = (approval(name).id for name in ("bob", "sue"))
    recorded = tuple(StatementRecord(id, position) for id, position in zip(ids, statements, strict=False))
    return Known(LandedHeads(False, (LandedHead(HEAD.id, head),), recorded, all_before))


@pytest.mark.parametrize(
    ("fact", "counted"),
    [
        (landed(-1), {"bob", "sue"}),
        (landed(7, 6, 6), set()),
        (landed(7, 6, 8), {"sue"}),
        (landed(7), set()),
        (landed(-1, 6, 8, all_before=7), {"sue"}),
        (landed(-1, all_before=0), set()),
    ],
)
def test_an_approval_recorded_before_the_branch_took_its_head_does_not_count(
    fact: Known[LandedHeads], counted: set[str]
) -> None:
    found = review(landed_heads=fact)
    assert set(found.counted) == counted
    assert all(one.why_not == ("spent",) for one in found.judged if not one.counted)


def test_the_same_bytes_in_another_commit_are_the_same_statement() -> None:
    copied = approval("bob", id=oid(99), digest="sha256:x")
    fact = LandedHeads(
        False, (LandedHead(HEAD.id, 7),), (StatementRecord("sha256:x", 6), StatementRecord(oid(99), 8)), -1
    )
    assert not review(approvals=Known((copied,)), landed_heads=Known(fact)).counted


def test_only_an_approval_is_spent() -> None:
    asked = approval("bob", action=ReviewAction.REQUEST_CHANGES)
    found = review(approvals=Known((asked, approval("sue"))), landed_heads=landed(7))
    assert found.blocked_by == ("bob",)
    assert [one.why_not for one in found.judged] == [("changes-requested",), ("spent",)]


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("action", [ReviewAction.REQUEST_CHANGES, ReviewAction.WITHDRAW, ReviewAction.ATTEST])
def test_of_two_statements_of_one_moment_that_which_blocks_counts(order: int, action: ReviewAction) -> None:
    both = (approval("bob", order=order), approval("bob", id=oid(98), order=1 - order, action=action))
    assert "bob" not in review(approvals=Known(both)).counted


def test_a_later_approval_of_another_moment_lifts_what_blocked() -> None:
    both = (approval("bob", id=oid(98), action=ReviewAction.REQUEST_CHANGES), approval("bob", order=1, time=NOW))
    assert "bob" in review(approvals=Known(both)).counted


class TestIncludedHeads:
    """The evaluated head, its commits, what it keeps the approvals of, and what the change was before."""

    def found(self, **changed: Any) -> set[str]:
        heads = included_heads(facts(values(**changed)))
        assert heads is not None
        return set(heads)

    def test_a_stack_includes_each_of_its_commits(self) -> None:
        own = (commit(3, oid(2)), commit(2, oid(1)), commit(1))
        at = Known(structs.replace(REVISION, head=oid(3)))
        assert self.found(revision=at, commits=Known(own)) == {oid(1), oid(2), oid(3)}

    def test_a_squash_includes_the_approved_head_and_its_commits(self) -> None:
        theirs = (commit(3, oid(2), tree=60), commit(2))
        squash = commit(1, tree=60)
        kept = Known((ApprovedHead(oid(3), theirs, oid(60), ()),))
        assert self.found(commits=Known((squash,)), approved_heads=kept) == {oid(1), oid(2), oid(3)}

    def test_a_head_that_goes_on_from_the_approved_one_is_not_included(self) -> None:
        kept = Known((ApprovedHead(oid(3), (commit(3, tree=60),), oid(60), ()),))
        pushes = Known(Pushes(True, (), (oid(3), oid(4)), (commit(4, oid(3)), commit(3, tree=60))))
        found = self.found(commits=Known((commit(1, tree=60),)), approved_heads=kept, pushes=pushes)
        assert found == {oid(1), oid(3)}

    def test_an_approved_head_that_is_something_else_is_not_included(self) -> None:
        kept = Known((ApprovedHead(oid(3), (commit(3),), oid(61), ()),))
        assert self.found(approved_heads=kept) == {HEAD.id}

    def test_an_earlier_head_is_included_with_its_commits_and_a_longer_change_is_not(self) -> None:
        earlier = (commit(6, oid(5)), commit(5), commit(8, oid(7)), commit(7, HEAD.id))
        pushes = Known(Pushes(True, (), (oid(6), oid(8)), earlier))
        assert self.found(pushes=pushes) == {HEAD.id, oid(5), oid(6)}

    @pytest.mark.parametrize("name", ["revision", "commits", "approved_heads", "pushes"])
    def test_without_one_of_the_facts_nobody_knows_them(self, name: str) -> None:
        assert included_heads(facts(values(**{name: Unknown("gone")}))) is None


def test_the_time_that_was_signed_decides_nothing() -> None:
    late = tuple(approval(name, time=NOW) for name in ("bob", "sue"))
    assert not review(approvals=Known(late), landed_heads=landed(7, 6, 6)).counted


def test_a_commit_behind_two_earlier_heads_is_included_once() -> None:
    shared, left, right = commit(21), commit(22, oid(21)), commit(23, oid(21))
    pushes = Pushes(True, (), (left.id, right.id), (left, right, shared))
    heads = included_heads(facts(values(pushes=Known(pushes))))
    assert heads is not None
    assert set(heads) == {HEAD.id, shared.id, left.id, right.id}


def test_a_long_row_of_merges_in_an_earlier_head_is_walked_once() -> None:
    """2 ** 60 ways lead through them, and another 2 ** 60 through those that go on from the head."""
    earlier, longer = [commit(100)], [commit(1000, HEAD.id)]
    for row in (earlier, longer):
        for _ in range(60):
            at = int(row[-1].id, 16)
            left, right = commit(at + 1, row[-1].id), commit(at + 2, row[-1].id)
            row += [left, right, commit(at + 3, left.id, right.id)]
    pushes = Pushes(True, (), (earlier[-1].id, longer[-1].id), (*earlier, *longer))
    heads = included_heads(facts(values(pushes=Known(pushes))))
    assert heads is not None
    assert set(heads) == {HEAD.id, *(one.id for one in earlier)}
