"""Included heads, used approvals, and the order of statements of the same time."""

from typing import Any

import pytest
from msgspec import structs

from muniment.controls import code_review
from muniment.controls.control import Case
from muniment.controls.included_heads import list_included_heads
from muniment.facts.change import ApprovedHead, Pushes
from muniment.facts.maybe import Known, Unknown
from muniment.facts.statements import LandedHead, LandedHeads, ReviewAction, StatementRecord
from tests.support.changes import HEAD, NOW, REVISION, approval, commit, facts, oid, values


def review(**changed: Any) -> code_review.CodeReview:
    return code_review.read_code_review(Case(values(**changed), None, NOW, {}))


def make_landed_heads(head: int, *statements: int, all_before: int = -1) -> Known[LandedHeads]:
    """Approvals of bob and sue recorded at these positions, and the head received at another."""
    ids = (approval(name).id for name in ("bob", "sue"))
    recorded = tuple(StatementRecord(id, position) for id, position in zip(ids, statements, strict=False))
    return Known(LandedHeads(False, (LandedHead(HEAD.id, head),), recorded, all_before))


@pytest.mark.parametrize(
    ("fact", "counted"),
    [
        (make_landed_heads(-1), {"bob", "sue"}),
        (make_landed_heads(7, 6, 6), set()),
        (make_landed_heads(7, 6, 8), {"sue"}),
        (make_landed_heads(7), set()),
        (make_landed_heads(-1, 6, 8, all_before=7), {"sue"}),
        (make_landed_heads(-1, all_before=0), set()),
    ],
)
def test_approval_recorded_before_branch_received_head_does_not_count(
    fact: Known[LandedHeads], counted: set[str]
) -> None:
    found = review(landed_heads=fact)
    assert set(found.counted) == counted
    assert all(one.reasons_not_counted == ("spent",) for one in found.statements if not one.counted)


def test_copied_statement_in_other_commit_is_same_statement() -> None:
    copied = approval("bob", id=oid(99), digest="sha256:x")
    fact = LandedHeads(
        False, (LandedHead(HEAD.id, 7),), (StatementRecord("sha256:x", 6), StatementRecord(oid(99), 8)), -1
    )
    assert not review(approvals=Known((copied,)), landed_heads=Known(fact)).counted


def test_only_approvals_are_used_up() -> None:
    asked = approval("bob", action=ReviewAction.REQUEST_CHANGES)
    found = review(approvals=Known((asked, approval("sue"))), landed_heads=make_landed_heads(7))
    assert found.blocking_reviewers == ("bob",)
    assert [one.reasons_not_counted for one in found.statements] == [("changes-requested",), ("spent",)]


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("action", [ReviewAction.REQUEST_CHANGES, ReviewAction.WITHDRAW, ReviewAction.ATTEST])
def test_blocking_statement_counts_among_statements_of_same_time(order: int, action: ReviewAction) -> None:
    both = (approval("bob", order=order), approval("bob", id=oid(98), order=1 - order, action=action))
    assert "bob" not in review(approvals=Known(both)).counted


def test_later_approval_lifts_earlier_requested_changes() -> None:
    both = (approval("bob", id=oid(98), action=ReviewAction.REQUEST_CHANGES), approval("bob", order=1, time=NOW))
    assert "bob" in review(approvals=Known(both)).counted


class TestIncludedHeads:
    """Included heads: the evaluated head, its commits, the head that carries approvals, and earlier heads."""

    def found(self, **changed: Any) -> set[str]:
        heads = list_included_heads(facts(values(**changed)))
        assert heads is not None
        return set(heads)

    def test_a_stack_includes_each_of_its_commits(self) -> None:
        own = (commit(3, oid(2)), commit(2, oid(1)), commit(1))
        at = Known(structs.replace(REVISION, head=oid(3)))
        assert self.found(revision=at, commits=Known(own)) == {oid(1), oid(2), oid(3)}

    def test_a_squash_includes_the_approved_head_and_its_commits(self) -> None:
        theirs = (commit(3, oid(2), tree=60), commit(2))
        squash = commit(1, tree=60)
        known = Known((ApprovedHead(oid(3), theirs, oid(60), ()),))
        assert self.found(commits=Known((squash,)), approved_heads=known) == {oid(1), oid(2), oid(3)}

    def test_head_with_commits_after_approved_one_is_not_included(self) -> None:
        known = Known((ApprovedHead(oid(3), (commit(3, tree=60),), oid(60), ()),))
        pushes = Known(Pushes(True, (), (oid(3), oid(4)), (commit(4, oid(3)), commit(3, tree=60))))
        found = self.found(commits=Known((commit(1, tree=60),)), approved_heads=known, pushes=pushes)
        assert found == {oid(1), oid(3)}

    def test_unrelated_approved_head_is_not_included(self) -> None:
        known = Known((ApprovedHead(oid(3), (commit(3),), oid(61), ()),))
        assert self.found(approved_heads=known) == {HEAD.id}

    def test_earlier_head_is_included_and_longer_change_is_not(self) -> None:
        earlier = (commit(6, oid(5)), commit(5), commit(8, oid(7)), commit(7, HEAD.id))
        pushes = Known(Pushes(True, (), (oid(6), oid(8)), earlier))
        assert self.found(pushes=pushes) == {HEAD.id, oid(5), oid(6)}

    @pytest.mark.parametrize("name", ["revision", "commits", "approved_heads", "pushes"])
    def test_included_heads_are_unknown_if_one_fact_is_missing(self, name: str) -> None:
        assert list_included_heads(facts(values(**{name: Unknown("gone")}))) is None


def test_signed_time_does_not_decide_use_of_approval() -> None:
    late = tuple(approval(name, time=NOW) for name in ("bob", "sue"))
    assert not review(approvals=Known(late), landed_heads=make_landed_heads(7, 6, 6)).counted


def test_commit_of_two_earlier_heads_is_included_once() -> None:
    shared, left, right = commit(21), commit(22, oid(21)), commit(23, oid(21))
    pushes = Pushes(True, (), (left.id, right.id), (left, right, shared))
    heads = list_included_heads(facts(values(pushes=Known(pushes))))
    assert heads is not None
    assert set(heads) == {HEAD.id, shared.id, left.id, right.id}


def test_many_merges_in_earlier_head_are_walked_once() -> None:
    """2 ** 60 paths lead through these merges, and another 2 ** 60 through those after the head."""
    earlier, longer = [commit(100)], [commit(1000, HEAD.id)]
    for row in (earlier, longer):
        for _ in range(60):
            at = int(row[-1].id, 16)
            left, right = commit(at + 1, row[-1].id), commit(at + 2, row[-1].id)
            row += [left, right, commit(at + 3, left.id, right.id)]
    pushes = Pushes(True, (), (earlier[-1].id, longer[-1].id), (*earlier, *longer))
    heads = list_included_heads(facts(values(pushes=Known(pushes))))
    assert heads is not None
    assert set(heads) == {HEAD.id, *(one.id for one in earlier)}
