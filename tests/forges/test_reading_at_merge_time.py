"""Readings as of the merge time: later events neither create nor remove an approval or a check."""

import pytest
from msgspec import structs

from muniment.facts.maybe import Known, Unknown
from muniment.forges.forge import Forge
from muniment.forges.past_reading import has_review_of_deleted_account, rewind_reading, suppose_writers
from muniment.forges.shapes import NOT_READ, Account, Change, ChangeState, Move, Reading, Review, ReviewState
from muniment.forges.statuses import Status, StatusState
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.fake_gitlab import FakeGitLab

BOB, CAROL = Account("2", "bob"), Account("3", "carol")
BEFORE, MERGED, AFTER = (f"2026-11-02T10:00:0{second}.000000Z" for second in (1, 2, 3))
CHANGE = Change(
    *(
        1,
        "t",
        "",
        ChangeState.MERGED,
        False,
        BOB,
        "refs/heads/main",
        "b" * 40,
        "topic",
        "5",
        "a" * 40,
        (),
        BEFORE,
        AFTER,
        "",
    ),
    merged_at=MERGED,
)


def review(at: str, *, dismissed_at: str = "", dismissed: bool = False, asked_again: str = "") -> Review:
    who = Known(BOB) if dismissed else Unknown("it was not dismissed")
    return Review("1", CAROL, ReviewState.APPROVED, "a" * 40, at, dismissed, who, dismissed_at, asked_again)


def past(*reviews: Review, moves: tuple[Move, ...] = ()) -> Reading:
    why = Unknown("it is not part of the test")
    read = Reading(CHANGE, AFTER, Known(moves), why, Known(reviews), why, why, why, Known(()), why)
    return rewind_reading(read, MERGED)


def reviews_at_merge(*reviews: Review) -> tuple[Review, ...]:
    found = past(*reviews).reviews
    assert isinstance(found, Known)
    return found.value


def test_review_after_merge_is_excluded_and_review_at_merge_included() -> None:
    assert [one.at for one in reviews_at_merge(review(BEFORE), review(MERGED), review(AFTER))] == [BEFORE, MERGED]


@pytest.mark.parametrize(("at", "stands"), [(BEFORE, True), (MERGED, True), ("", True), (AFTER, False)])
def test_dismissal_counts_unless_certainly_after_merge(at: str, stands: bool) -> None:
    (found,) = reviews_at_merge(review(BEFORE, dismissed=True, dismissed_at=at))
    assert found.dismissed is stands


@pytest.mark.parametrize(("at", "stands"), [(BEFORE, True), (MERGED, True), (AFTER, False)])
def test_renewed_review_request_counts_unless_after_merge(at: str, stands: bool) -> None:
    (found,) = reviews_at_merge(review(BEFORE, asked_again=at))
    assert bool(found.asked_again) is stands


def test_push_after_merge_and_current_checks_are_excluded() -> None:
    moves = tuple(Move("", new * 40, (), False, Known(BOB), at) for new, at in (("a", BEFORE), ("c", AFTER)))
    found = past(moves=moves)
    assert isinstance(found.moves, Known)
    assert [move.new for move in found.moves.value] == ["a" * 40]
    assert found.checks == NOT_READ


def states(forge: Forge, head: str, until: str) -> list[str]:
    repository = forge.reader.read_repository("shop/api").repository
    return [check.state for check in forge.reader.list_statuses(repository, head, until)]


def test_github_check_can_be_read_as_of_earlier_time(github: FakeGitHub, hub: Forge) -> None:
    world, repository = github.world, hub.reader.read_repository("shop/api").repository
    first, other = world.base, world.commit({"b.py": "1\n"})
    hub.publisher.publish_status(
        repository, first, Status("muniment/main", StatusState.PENDING, "s", "https://m.test/")
    )
    world.status("ada", other, "ci", "success")
    moment = world.moment().replace("Z", ".000000Z")
    hub.publisher.publish_status(
        repository, first, Status("muniment/main", StatusState.ALLOWED, "s", "https://m.test/")
    )
    world.status("ada", other, "ci", "failure")
    assert (states(hub, first, moment), states(hub, first, "")) == (["pending"], ["success"])
    assert (states(hub, other, moment), states(hub, other, "")) == (["success"], ["failure"])


def test_gitlab_status_can_be_read_as_of_earlier_time(gitlab: FakeGitLab, lab: Forge) -> None:
    world = gitlab.world
    world.status("ada", world.base, "ci", "success")
    moment = world.moment().replace("Z", ".000000Z")
    world.status("ada", world.base, "ci", "failed")
    assert (states(lab, world.base, moment), states(lab, world.base, "")) == (["success"], ["failure"])


def test_supposed_writers_are_added_to_what_was_read_and_replace_nothing_unknown() -> None:
    read = past(review(BEFORE))
    assert suppose_writers(read, ["3"]) == read
    known = structs.replace(read, writers=Known({"2": True, "3": False}))
    assert suppose_writers(known, ["3"]).writers == Known({"2": True, "3": True})


@pytest.mark.parametrize(
    ("by", "deleted"),
    [
        (CAROL, False),
        (Account("9", "ghostwriter"), False),
        (Account("", ""), True),
        (Account("-1", "Ghost"), True),
        (Account("7", "ghost1", machine=True), True),
    ],
)
def test_approval_of_a_deleted_account_is_noticed(by: Account, deleted: bool) -> None:
    assert has_review_of_deleted_account(past(structs.replace(review(BEFORE), by=by))) is deleted
    dismissed = review(BEFORE, dismissed=True, dismissed_at=BEFORE)
    assert not has_review_of_deleted_account(past(structs.replace(dismissed, by=by)))
