"""Among statements of the same time the blocking one counts, in every recording order."""

from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from muniment.controls import code_review
from muniment.controls.control import Case
from muniment.facts.change import Commit, Pushes
from muniment.facts.maybe import Known
from muniment.facts.statements import APPROVING_ACTIONS, Approval, ReviewAction
from tests.support.changes import EARLIER, HEAD, NOW, approval, commit, values

PAST = commit(7)
LATER = "2026-11-24T08:30:00.000000Z"
TIMES = (EARLIER, LATER)
BLOCKING = (ReviewAction.REQUEST_CHANGES, ReviewAction.WITHDRAW, ReviewAction.ATTEST)


def review(statements: tuple[Approval, ...]) -> code_review.CodeReview:
    """Review of a change that had another head before."""
    given = values(pushes=Known(Pushes(True, (), (PAST.id,), (PAST,))), approvals=Known(statements))
    return code_review.read_code_review(Case(given, None, NOW, {}))


def permute_statements(statements: tuple[Approval, ...]) -> list[tuple[Approval, ...]]:
    """Put statements in every order in which they could be recorded and read."""
    return [
        tuple(structs.replace(one, order=order) for one, order in zip(read, recorded, strict=True))
        for read in permutations(statements)
        for recorded in permutations(range(len(statements)))
    ]


@pytest.mark.parametrize("heads", list(product((HEAD, PAST), repeat=2)), ids=str)
@pytest.mark.parametrize("action", BLOCKING)
def test_approval_and_blocking_statement_of_same_time_do_not_approve(
    heads: tuple[Commit, Commit], action: ReviewAction
) -> None:
    both = (approval("sue", heads[0]), approval("sue", heads[1], action=action))
    for statements in permute_statements(both):
        found = review(statements)
        assert "sue" not in found.counted
        assert bool(found.blocking_reviewers) is (action is ReviewAction.REQUEST_CHANGES)


statements = st.lists(
    st.builds(
        lambda action, time: approval("sue", action=action, time=time),
        st.sampled_from((ReviewAction.APPROVE, ReviewAction.APPROVE, *BLOCKING)),
        st.sampled_from(TIMES),
    ),
    min_size=2,
    max_size=3,
).map(tuple)


@given(statements)
def test_no_recording_order_turns_tie_into_approval(given: tuple[Approval, ...]) -> None:
    for ordered in permute_statements(given):
        counted = review(ordered).counted.get("sue")
        if counted is not None:
            ties = [one.action for one in ordered if one.time == counted.time]
            assert set(ties) <= APPROVING_ACTIONS, [(one.order, one.action, one.time) for one in ordered]


@pytest.mark.parametrize("action", [ReviewAction.REQUEST_CHANGES, ReviewAction.WITHDRAW])
@pytest.mark.parametrize("time", TIMES)
def test_approval_of_earlier_head_revives_no_older_approval(action: ReviewAction, time: str) -> None:
    given = (
        approval("sue", HEAD, time=EARLIER),
        approval("sue", PAST, action=action, time=time),
        approval("sue", PAST, time="2026-11-24T08:45:00.000000Z"),
    )
    for statements in permute_statements(given):
        assert "sue" not in review(statements).counted
