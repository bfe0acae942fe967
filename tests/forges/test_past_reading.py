"""What a forge tells is taken as it was at the merge: nothing later makes or unmakes an approval or a check."""

import pytest

from muniment.facts.maybe import Known, Unknown
from muniment.forges.forge import Forge
from muniment.forges.past_reading import reading_at
from muniment.forges.shapes import NOT_ASKED, Account, Change, Move, Reading, Review, Said, State
from muniment.forges.statuses import Saying, Status
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.fake_gitlab import FakeGitLab

BOB, CAROL = Account("2", "bob"), Account("3", "carol")
BEFORE, MERGED, AFTER = (f"2026-11-02T10:00:0{second}.000000Z" for second in (1, 2, 3))
CHANGE = Change(
    *(1, "t", "", State.MERGED, False, BOB, "refs/heads/main", "b" * 40, "topic", "5", "a" * 40, (), BEFORE, AFTER, ""),
    merged_at=MERGED,
)


def review(at: str, *, dismissed_at: str = "", dismissed: bool = False, asked_again: str = "") -> Review:
    who = Known(BOB) if dismissed else Unknown("it was not dismissed")
    return Review("1", CAROL, Said.APPROVED, "a" * 40, at, dismissed, who, dismissed_at, asked_again)


def past(*reviews: Review, moves: tuple[Move, ...] = ()) -> Reading:
    why = Unknown("it is not part of the test")
    read = Reading(CHANGE, AFTER, Known(moves), why, Known(reviews), why, why, why, Known(()), why)
    return reading_at(read, MERGED)


def reviews_at_merge(*reviews: Review) -> tuple[Review, ...]:
    found = past(*reviews).reviews
    assert isinstance(found, Known)
    return found.value


def test_a_review_after_the_merge_is_left_out_and_one_in_its_moment_is_not() -> None:
    assert [one.at for one in reviews_at_merge(review(BEFORE), review(MERGED), review(AFTER))] == [BEFORE, MERGED]


@pytest.mark.parametrize(("at", "stands"), [(BEFORE, True), (MERGED, True), ("", True), (AFTER, False)])
def test_a_dismissal_counts_unless_it_surely_came_after_the_merge(at: str, stands: bool) -> None:
    (found,) = reviews_at_merge(review(BEFORE, dismissed=True, dismissed_at=at))
    assert found.dismissed is stands


@pytest.mark.parametrize(("at", "stands"), [(BEFORE, True), (MERGED, True), (AFTER, False)])
def test_a_new_request_for_review_counts_unless_it_came_after_the_merge(at: str, stands: bool) -> None:
    (found,) = reviews_at_merge(review(BEFORE, asked_again=at))
    assert bool(found.asked_again) is stands


def test_a_push_after_the_merge_and_checks_of_now_are_left_out() -> None:
    moves = tuple(Move("", new * 40, (), False, Known(BOB), at) for new, at in (("a", BEFORE), ("c", AFTER)))
    found = past(moves=moves)
    assert isinstance(found.moves, Known)
    assert [move.new for move in found.moves.value] == ["a" * 40]
    assert found.checks == NOT_ASKED


def states(forge: Forge, head: str, until: str) -> list[str]:
    repository = forge.reader.repository("shop/api").repository
    return [check.state for check in forge.reader.statuses(repository, head, until)]


def test_github_tells_a_check_as_it_was_before_it_ended_or_was_posted_again(github: FakeGitHub, hub: Forge) -> None:
    world, repository = github.world, hub.reader.repository("shop/api").repository
    first, other = world.base, world.commit({"b.py": "1\n"})
    hub.publisher.publish(repository, first, Status("muniment/main", Saying.PENDING, "s", "https://m.test/"))
    world.status("ada", other, "ci", "success")
    moment = world.moment().replace("Z", ".000000Z")
    hub.publisher.publish(repository, first, Status("muniment/main", Saying.ALLOWED, "s", "https://m.test/"))
    world.status("ada", other, "ci", "failure")
    assert (states(hub, first, moment), states(hub, first, "")) == (["pending"], ["success"])
    assert (states(hub, other, moment), states(hub, other, "")) == (["success"], ["failure"])


def test_gitlab_tells_a_check_as_it_was_before_it_was_posted_again(gitlab: FakeGitLab, lab: Forge) -> None:
    world = gitlab.world
    world.status("ada", world.base, "ci", "success")
    moment = world.moment().replace("Z", ".000000Z")
    world.status("ada", world.base, "ci", "failed")
    assert (states(lab, world.base, moment), states(lab, world.base, "")) == (["success"], ["failure"])
