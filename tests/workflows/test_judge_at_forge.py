"""What a forge shows on a head is never a yes that no complete reading gave, and comes right by itself."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from muniment.errors import ForgeCode, ForgeError, MunimentError
from muniment.facts.maybe import Known
from muniment.forges.shapes import Group, Member, Reading, Repo, State
from muniment.forges.statuses import Saying, Status, context_for
from muniment.workflows.judge_at_forge import Judging, Verdict
from muniment.workflows.reconcile_forge import missed, statuses
from tests.support.forges.memory import (
    AFTER,
    BEFORE,
    LATE,
    NOT_THERE,
    OURS,
    REPO,
    UNPROTECTED,
    MemoryKeeper,
    World,
    change,
)

MAIN, OTHER = "refs/heads/main", "refs/heads/release"
HEADS = ("1" * 40, "2" * 40, "3" * 40)
NOW = "2026-11-24T09:00:00.000000Z"
MUCH_LATER = "2026-11-24T10:00:00.000000Z"
CALLS = ("read", "reviews", "publish", "comment", "changes", "statuses")


class Court:
    """Two approvals are enough. It records what it allowed before anybody can show it."""

    def __init__(self) -> None:
        self.allowed: set[tuple[str, str]] = set()
        self.unknown: set[int] = set()  # what was judged without knowing all
        self.meanwhile: list[Callable[[], Any]] = []  # what others do while one reading is judged

    def __call__(self, reading: Reading, now: str) -> Verdict:
        if self.meanwhile:
            self.meanwhile.pop(0)()
        context = context_for(reading.change.target)
        known = isinstance(reading.reviews, Known)
        (self.unknown.discard if known else self.unknown.add)(reading.change.number)
        if isinstance(reading.reviews, Known) and len({each.by.id for each in reading.reviews.value}) >= 2:
            self.allowed.add((reading.change.head, context))
            return Verdict(Status(context, Saying.ALLOWED, "Two others approved.", ""))
        return Verdict(Status(context, Saying.DENIED, "Two others have to approve.", ""), "Two others have to approve.")


class Killed(BaseException):
    """A worker's end, of which nobody is told."""


class Mortal:
    """A keeper whose worker dies before it is called once too often, if `left` says so."""

    def __init__(self, keeper: MemoryKeeper) -> None:
        self._keeper, self.left = keeper, 0

    def __getattr__(self, name: str) -> Any:
        if self.left == 1:
            raise Killed
        self.left = max(0, self.left - 1)
        return getattr(self._keeper, name)


class Scene:
    """A forge, what we keep of it, and the events that wait."""

    def __init__(self) -> None:
        self.world, self.keeper, self.court = World(), MemoryKeeper(), Court()
        self.forge = self.world.forge()
        self.mortal: Any = Mortal(self.keeper)
        self.judging = Judging(self.forge, REPO, self.mortal, self.court)
        self.now = NOW

    def look(self, number: int) -> bool:
        try:
            self.judging.look(number, self.now)
        except (ForgeError, Killed):
            return False
        return True

    def reconcile(self) -> None:
        """As the service does: look again at what was missed or not known, show again what is not shown."""
        for number in {*missed(self.forge.reader, REPO, self.keeper.kept(), self.keeper.judges), *self.court.unknown}:
            self.judging.look(number, self.now)
        for head, context in {(row.head, row.context) for row in self.keeper.rows.values() if row.open}:
            lost, _ = statuses(self.forge.reader.statuses(REPO, head), head, [context], self.keeper, OURS)
            for place in lost:
                self.keeper.surely[place] = None
            self.judging.show(head, context)

    def right(self) -> Iterator[tuple[str, str, Saying]]:
        """What every place should show."""
        places: dict[tuple[str, str], list[bool]] = {}
        for each in self.world.changes.values():
            if each.state is State.OPEN:
                enough = len(self.world.reviews(each)) >= 2
                places.setdefault((each.head, context_for(each.target)), []).append(enough)
        for (head, context), each_allowed in places.items():
            yield head, context, Saying.ALLOWED if all(each_allowed) else Saying.DENIED


def opened(*heads: str) -> Scene:
    scene = Scene()
    for number, head in enumerate(heads, 1):
        scene.world.put(change(number, head))
    return scene


def shown(scene: Scene, head: str, ref: str = MAIN) -> Saying | None:
    return scene.world.shown(head, context_for(ref))


def test_pending_comes_before_the_first_verdict_and_before_a_green_one_is_read_again() -> None:
    scene = opened(HEADS[0])
    scene.look(1)
    assert [status.saying for _, status, _ in scene.world.posted] == [Saying.PENDING, Saying.DENIED]
    scene.world.approve(1, "carol")
    scene.world.approve(1, "dave")
    scene.look(1)
    assert [status.saying for _, status, _ in scene.world.posted][2:] == [Saying.ALLOWED], "red stayed red until then"
    scene.look(1)
    assert [status.saying for _, status, _ in scene.world.posted][3:] == [Saying.PENDING, Saying.ALLOWED]


def test_a_verdict_stays_with_its_head() -> None:
    scene = opened(HEADS[0])
    scene.world.approve(1, "carol")
    scene.world.approve(1, "dave")
    scene.look(1)
    scene.world.put(structs.replace(scene.world.changes[1], head=HEADS[1]))
    scene.look(1)
    assert shown(scene, HEADS[1]) is Saying.DENIED


def test_a_verdict_that_was_overtaken_by_a_push_allows_nothing_on_the_new_head() -> None:
    scene = opened(HEADS[0])
    for who in ("carol", "dave"):
        scene.world.approve(1, who)

    def another() -> None:
        scene.world.put(structs.replace(scene.world.changes[1], head=HEADS[1]))
        assert scene.look(1)

    scene.court.meanwhile = [another]
    assert not scene.look(1)
    scene.judging.show(HEADS[1], context_for(MAIN))
    assert shown(scene, HEADS[1]) is not Saying.ALLOWED
    scene.reconcile()
    assert shown(scene, HEADS[1]) is Saying.DENIED


def test_a_verdict_on_an_older_reading_does_not_outlive_that_on_a_newer_one() -> None:
    scene = opened(HEADS[0])
    for who in ("carol", "dave"):
        scene.world.approve(1, who)

    def another() -> None:
        scene.world.approve(1, "dave", yes=False)
        assert scene.look(1)

    scene.court.meanwhile = [another]
    assert not scene.look(1)
    assert shown(scene, HEADS[0]) is Saying.DENIED
    scene.reconcile()
    assert shown(scene, HEADS[0]) is Saying.DENIED


def test_a_second_change_with_the_same_head_rides_on_nothing() -> None:
    scene = opened(HEADS[0])
    scene.world.approve(1, "carol")
    scene.world.approve(1, "dave")
    scene.look(1)
    assert shown(scene, HEADS[0]) is Saying.ALLOWED
    scene.world.put(change(2, HEADS[0], OTHER))
    scene.look(2)
    assert shown(scene, HEADS[0]) is Saying.ALLOWED
    assert shown(scene, HEADS[0], OTHER) is Saying.DENIED


def test_where_changes_share_a_context_it_is_green_only_if_all_are_allowed() -> None:
    scene = opened(HEADS[0], HEADS[0])
    scene.world.approve(1, "carol")
    scene.world.approve(1, "dave")
    scene.court.allowed.add((HEADS[0], context_for(MAIN)))
    scene.look(1)
    assert shown(scene, HEADS[0]) is Saying.ALLOWED
    judged = scene.keeper.rows[1]
    assert judged.status is not None
    scene.keeper.rows[1].status = structs.replace(judged.status, saying=Saying.DENIED)
    scene.look(2)
    assert shown(scene, HEADS[0]) is Saying.DENIED
    scene.world.put(structs.replace(scene.world.changes[1], state=State.CLOSED))
    scene.look(1)
    assert shown(scene, HEADS[0]) is Saying.ALLOWED


@pytest.mark.parametrize("left", [{"head": HEADS[1]}, {"target": UNPROTECTED}, {"state": State.CLOSED}])
def test_a_head_that_no_open_change_has_any_more_is_not_green(left: dict[str, Any]) -> None:
    scene = opened(HEADS[0])
    for who in ("carol", "dave"):
        scene.world.approve(1, who)
    scene.look(1)
    before = scene.world.changes[1]
    scene.world.put(structs.replace(before, **left))
    scene.look(1)
    assert shown(scene, HEADS[0]) is Saying.PENDING
    scene.world.put(before)
    scene.look(1)
    assert shown(scene, HEADS[0]) is Saying.ALLOWED


def test_a_change_that_the_forge_has_no_more_stands_in_no_others_way() -> None:
    scene = opened(HEADS[0], HEADS[0])
    for who in ("carol", "dave"):
        scene.world.approve(2, who)
    scene.world.failing = {"reviews": [BEFORE]}
    scene.look(1)
    scene.look(2)
    assert shown(scene, HEADS[0]) is Saying.DENIED
    del scene.world.changes[1]
    scene.world.failing = {"read": [NOT_THERE], "changes": [BEFORE]}
    assert not scene.look(1)
    assert shown(scene, HEADS[0]) is Saying.DENIED
    assert scene.look(1)
    assert shown(scene, HEADS[0]) is Saying.ALLOWED
    del scene.world.changes[2]
    assert scene.look(2)
    assert shown(scene, HEADS[0]) is Saying.PENDING


def test_a_change_that_is_hidden_though_it_is_open_stands_as_it_did() -> None:
    scene = opened(HEADS[0])
    scene.world.failing = {"read": [NOT_THERE]}
    assert not scene.look(1)
    assert scene.look(1)
    scene.world.failing = {"read": [NOT_THERE]}
    scene.now = MUCH_LATER
    assert not scene.look(1)
    assert shown(scene, HEADS[0]) is not Saying.ALLOWED


def test_a_head_that_the_forge_has_no_more_holds_up_no_new_one() -> None:
    scene = opened(HEADS[0])
    for who in ("carol", "dave"):
        scene.world.approve(1, who)
    scene.look(1)
    publish = scene.forge.publisher.publish

    class Publisher:
        def publish(self, repository: Repo, head: str, status: Status) -> None:
            if head == HEADS[0]:
                raise ForgeError(ForgeCode.FAILED, "there is no such commit", "")
            publish(repository, head, status)

    publisher: Any = Publisher()
    scene.judging = Judging(scene.forge._replace(publisher=publisher), REPO, scene.keeper, scene.court)
    scene.world.put(structs.replace(scene.world.changes[1], head=HEADS[1]))
    assert not scene.look(1)
    assert shown(scene, HEADS[1]) is None  # the head that was green may still be there
    scene.now = MUCH_LATER
    assert not scene.look(1)
    assert shown(scene, HEADS[1]) is Saying.DENIED
    before = len(scene.world.posted)
    publisher.comment = scene.forge.publisher.comment
    assert scene.look(1)
    assert scene.world.posted[before:][-1][1].summary == "Two others have to approve."


def test_what_was_merged_keeps_its_verdict() -> None:
    scene = opened(HEADS[0], HEADS[1])
    for who in ("carol", "dave"):
        scene.world.approve(1, who)
    for number in (1, 2):
        scene.look(number)
        scene.world.put(structs.replace(scene.world.changes[number], state=State.MERGED))
        scene.look(number)
    assert [shown(scene, head) for head in HEADS[:2]] == [Saying.ALLOWED, Saying.DENIED]


def allowed(*heads: str) -> Scene:
    """Changes that two approved, each read once."""
    scene = opened(*heads)
    for number in range(1, len(heads) + 1):
        for who in ("carol", "dave"):
            scene.world.approve(number, who)
        scene.look(number)
    return scene


def test_a_bypass_is_shown_on_the_head_of_what_was_merged_in_every_context_of_its_branch() -> None:
    scene, shared = allowed(HEADS[0]), "muniment/release*"
    scene.world.put(structs.replace(scene.world.changes[1], state=State.MERGED))
    scene.look(1)
    scene.keeper.demanded[context_for(MAIN)] = (shared,)
    scene.judging.show_last(HEADS[0], Status(context_for(MAIN), Saying.DENIED, "It was a bypass.", ""))
    assert shown(scene, HEADS[0]) is Saying.DENIED
    assert scene.world.shown(HEADS[0], shared) is Saying.DENIED


def test_a_bypass_is_not_shown_on_a_head_that_an_open_change_has() -> None:
    scene = allowed(HEADS[0], HEADS[0])
    scene.world.put(structs.replace(scene.world.changes[1], state=State.MERGED))
    scene.look(1)
    scene.judging.show_last(HEADS[0], Status(context_for(MAIN), Saying.DENIED, "It was a bypass.", ""))
    assert shown(scene, HEADS[0]) is Saying.ALLOWED


@pytest.mark.parametrize(
    ("now", "saying"),
    [("2026-11-24T09:04:59.999999Z", Saying.PENDING), ("2026-11-24T09:05:00.000000Z", Saying.DENIED)],
)
def test_what_cannot_be_read_is_denied_from_the_deadline_on(now: str, saying: Saying) -> None:
    scene = allowed(HEADS[0])
    scene.world.failing = {"read": [BEFORE, BEFORE]}
    assert not scene.look(1)
    scene.now = now
    assert not scene.look(1)
    assert shown(scene, HEADS[0]) is saying


def test_what_was_denied_stays_denied_once_its_change_is_closed() -> None:
    scene = opened(HEADS[0])
    scene.look(1)
    scene.world.put(structs.replace(scene.world.changes[1], state=State.CLOSED))
    before = len(scene.world.posted)
    scene.look(1)
    assert len(scene.world.posted) == before


def test_a_head_of_a_closed_change_is_pending_where_nobody_knows_what_is_shown() -> None:
    scene = allowed(HEADS[0])
    scene.world.put(structs.replace(scene.world.changes[1], state=State.CLOSED))
    for scene.now, done in ((NOW, False), (MUCH_LATER, True)):
        scene.world.failing = {"publish": [BEFORE]}
        assert scene.look(1) is done
    assert shown(scene, HEADS[0]) is Saying.PENDING


def test_a_change_that_was_never_there_has_nothing_shown() -> None:
    scene = Scene()
    assert scene.look(7)
    assert scene.world.posted == []


def test_a_change_that_was_merged_before_it_was_read_has_nothing_shown() -> None:
    scene = Scene()
    scene.world.put(change(1, HEADS[0], state=State.MERGED))
    assert scene.look(1)
    assert scene.world.posted == []


def test_a_head_that_was_replaced_before_the_merge_is_not_green() -> None:
    scene = allowed(HEADS[0])
    scene.world.put(structs.replace(scene.world.changes[1], state=State.MERGED, head=HEADS[1]))
    scene.look(1)
    assert shown(scene, HEADS[0]) is Saying.PENDING
    assert shown(scene, HEADS[1]) is None


def test_a_change_for_a_branch_that_is_protected_no_more_gets_no_verdict_back(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = allowed(HEADS[0])
    monkeypatch.setattr(scene.keeper, "judges", lambda ref: False)
    scene.look(1)
    assert shown(scene, HEADS[0]) is Saying.PENDING


def test_a_closed_change_that_cannot_be_read_is_read_again_and_not_taken_to_be_gone() -> None:
    scene = allowed(HEADS[0])
    scene.world.put(structs.replace(scene.world.changes[1], state=State.CLOSED))
    scene.world.failing = {"read": [BEFORE]}
    assert not scene.look(1)
    assert scene.keeper.rows[1].since is not None


def test_a_head_that_whoever_closed_its_change_left_green_is_pending_with_its_page() -> None:
    scene, place = allowed(HEADS[0]), (HEADS[0], context_for(MAIN))
    scene.keeper.surely[place] = Status(context_for(MAIN), Saying.ALLOWED, "Two others approved.", "/changes/1")
    scene.keeper.rows[1].open = False  # and then the worker died
    scene.world.put(structs.replace(scene.world.changes[1], state=State.CLOSED))
    scene.look(1)
    assert shown(scene, HEADS[0]) is Saying.PENDING
    assert scene.world.posted[-1][1].url == "/changes/1"


def test_nothing_is_shown_without_a_head() -> None:
    scene = Scene()
    scene.judging.show("", context_for(MAIN))
    assert scene.world.posted == []


def test_what_was_merged_leaves_the_head_to_the_other_change_that_has_it() -> None:
    scene = opened(HEADS[0], HEADS[0])
    scene.look(1)
    scene.look(2)
    assert shown(scene, HEADS[0]) is Saying.DENIED
    for who in ("carol", "dave"):
        scene.world.approve(1, who)
    scene.world.put(structs.replace(scene.world.changes[2], state=State.MERGED))
    scene.look(1)
    scene.look(2)
    assert shown(scene, HEADS[0]) is Saying.ALLOWED


def test_a_context_that_a_rule_demands_of_several_branches_is_green_only_if_every_change_with_the_head_is() -> None:
    scene, shared = opened(HEADS[0]), "muniment/release*"
    first, second = "refs/heads/release1", "refs/heads/release2"
    for ref in (first, second):
        scene.keeper.demanded[context_for(ref)] = (shared,)
    scene.world.put(change(1, HEADS[0], first))
    for who in ("carol", "dave"):
        scene.world.approve(1, who)
    scene.look(1)
    assert scene.world.shown(HEADS[0], shared) is Saying.ALLOWED
    scene.world.put(change(2, HEADS[0], second))
    scene.look(2)
    assert [shown(scene, HEADS[0], ref) for ref in (first, second)] == [Saying.ALLOWED, Saying.DENIED]
    assert scene.world.shown(HEADS[0], shared) is Saying.DENIED
    scene.look(1)
    assert scene.world.shown(HEADS[0], shared) is Saying.DENIED
    for who in ("carol", "dave"):
        scene.world.approve(2, who)
    scene.look(2)
    assert scene.world.shown(HEADS[0], shared) is Saying.ALLOWED
    scene.world.put(structs.replace(scene.world.changes[2], head=HEADS[1]))
    scene.look(2)
    assert scene.world.shown(HEADS[1], shared) is Saying.DENIED
    assert scene.world.shown(HEADS[0], shared) is Saying.ALLOWED


def test_nothing_is_said_of_changes_for_branches_that_are_not_protected() -> None:
    scene = Scene()
    scene.world.put(change(1, HEADS[0], UNPROTECTED))
    scene.look(1)
    assert scene.world.posted == []
    scene.world.put(change(1, HEADS[0]))
    scene.look(1)
    assert shown(scene, HEADS[0]) is Saying.DENIED


@pytest.mark.parametrize(("approvers", "until_then"), [(("carol", "dave"), Saying.PENDING), ((), Saying.DENIED)])
def test_what_cannot_be_read_is_not_green_and_past_a_deadline_is_denied(
    approvers: tuple[str, ...], until_then: Saying
) -> None:
    scene = opened(HEADS[0])
    for who in approvers:
        scene.world.approve(1, who)
    scene.look(1)
    scene.world.failing = {"read": [BEFORE, BEFORE]}
    assert not scene.look(1)
    assert shown(scene, HEADS[0]) is until_then
    scene.now = MUCH_LATER
    assert not scene.look(1)
    assert shown(scene, HEADS[0]) is Saying.DENIED
    assert scene.world.posted[-1][1].summary == "read failed"


def test_what_is_denied_unread_is_not_made_pending_again_and_again() -> None:
    scene = opened(HEADS[0])
    scene.look(1)
    scene.world.failing = {"read": [BEFORE] * 4}
    scene.look(1)
    scene.now = MUCH_LATER
    before = len(scene.world.posted)
    for _ in range(3):
        scene.look(1)
    assert len(scene.world.posted) == before + 1


def test_what_cannot_be_judged_is_denied_past_the_deadline_though_it_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = opened(HEADS[0])

    def broken(reading: Reading, now: str) -> Verdict:
        raise MunimentError("the policy cannot be read", "Mend it.")

    judging = Judging(scene.forge, REPO, scene.keeper, broken)
    for now, saying in ((NOW, Saying.PENDING), (MUCH_LATER, Saying.DENIED)):
        with pytest.raises(MunimentError, match="policy"):
            judging.look(1, now)
        assert shown(scene, HEADS[0]) is saying


def test_a_part_that_is_missing_allows_nothing() -> None:
    scene = opened(HEADS[0])
    scene.world.approve(1, "carol")
    scene.world.approve(1, "dave")
    scene.world.failing = {"reviews": [BEFORE]}
    scene.look(1)
    assert shown(scene, HEADS[0]) is Saying.DENIED


def test_one_comment_only_while_something_is_wrong() -> None:
    scene = opened(HEADS[0])
    scene.look(1)
    scene.look(1)
    assert scene.world.comments == {1: "Two others have to approve."}
    assert scene.world.calls.count("comment") == 1
    scene.world.approve(1, "carol")
    scene.world.approve(1, "dave")
    scene.look(1)
    assert scene.world.comments == {1: ""}


def test_a_status_of_another_account_is_found_and_ours_stands_again() -> None:
    scene = opened(HEADS[0])
    scene.look(1)
    context = context_for(MAIN)
    mallory = structs.replace(OURS, id="66", login="mallory")
    scene.world.posted.append((HEADS[0], Status(context, Saying.ALLOWED, "fine", ""), mallory))
    _, forged = statuses(scene.forge.reader.statuses(REPO, HEADS[0]), HEADS[0], [context], scene.keeper, OURS)
    assert [each.by.login for each in forged] == ["mallory"]
    scene.reconcile()
    assert shown(scene, HEADS[0]) is Saying.DENIED


def test_a_group_of_a_queue_is_allowed_if_each_member_is_and_a_machine_made_it() -> None:
    scene = opened(HEADS[0], HEADS[1])
    group = "9" * 40
    scene.world.groups[group] = Group(MAIN, "b" * 40, group, (Member(1, HEADS[0]), Member(2, HEADS[1])))
    for number in (1, 2):
        for who in ("carol", "dave"):
            scene.world.approve(number, who)

    def look(*, machine: bool) -> tuple[Saying | None, str]:
        two = frozenset(HEADS[:2])
        scene.judging.look_at_group(MAIN, group, scene.now, lambda _, heads: machine and heads == two, "", again=True)
        return shown(scene, group), scene.world.posted[-1][1].summary

    assert look(machine=True) == (Saying.ALLOWED, "All of its 2 changes are allowed.")
    assert look(machine=False)[0] is Saying.DENIED
    scene.world.approve(2, "dave", yes=False)
    assert look(machine=True) == (Saying.DENIED, "Not allowed: #2.")
    scene.world.put(structs.replace(scene.world.changes[1], head=HEADS[2]))
    assert look(machine=True) == (Saying.DENIED, "Not allowed: #1, #2.")
    scene.world.failing = {"group": [BEFORE]}
    with pytest.raises(ForgeError):
        look(machine=True)
    assert shown(scene, group) is Saying.PENDING


def test_a_group_that_is_no_more_is_denied_when_it_is_looked_at_again() -> None:
    scene, group = opened(HEADS[0]), "9" * 40

    def gone() -> Group:
        raise ForgeError(ForgeCode.CHANGED_MEANWHILE, "no such group", "")

    scene.world.call = lambda name, do: gone() if name == "group" else do()  # type: ignore[method-assign]
    with pytest.raises(ForgeError):
        scene.judging.look_at_group(MAIN, group, scene.now, lambda *_: True, "")
    assert shown(scene, group) is Saying.PENDING
    scene.judging.look_at_group(MAIN, group, scene.now, lambda *_: True, "", again=True)
    assert shown(scene, group) is Saying.DENIED
    assert scene.keeper.groups == {(group, context_for(MAIN)): ""}


def test_a_group_that_cannot_be_read_is_denied_past_the_deadline_and_judged_anew_once_it_can_be() -> None:
    scene, group = opened(HEADS[0]), "9" * 40
    scene.world.groups[group] = Group(MAIN, "b" * 40, group, (Member(1, HEADS[0]),))
    for who in ("carol", "dave"):
        scene.world.approve(1, who)

    def look(now: str) -> tuple[Saying | None, int]:
        scene.world.failing = {"group": [BEFORE]} if now else {}
        with contextlib.suppress(ForgeError):
            scene.judging.look_at_group(MAIN, group, now or MUCH_LATER, lambda *_: True, "")
        return shown(scene, group), len(scene.world.posted)

    assert look(NOW) == (Saying.PENDING, 1)
    assert look(NOW) == (Saying.PENDING, 1)
    assert look(MUCH_LATER) == (Saying.DENIED, 2)
    assert "group failed" in scene.world.posted[-1][1].summary
    assert look(MUCH_LATER) == (Saying.DENIED, 2)
    assert look("")[0] is Saying.ALLOWED
    assert scene.keeper.groups == {(group, context_for(MAIN)): ""}


def test_a_group_that_was_judged_is_not_judged_for_every_echo_of_what_we_say_there() -> None:
    scene, group = opened(HEADS[0]), "9" * 40
    scene.world.groups[group] = Group(MAIN, "b" * 40, group, (Member(1, HEADS[0]),))
    scene.judging.look_at_group(MAIN, group, NOW, lambda *_: True, "")
    before = len(scene.world.calls)
    scene.judging.look_at_group(MAIN, group, NOW, lambda *_: True, "")
    assert len(scene.world.calls) == before
    scene.judging.look_at_group(MAIN, group, NOW, lambda *_: True, "", again=True)
    assert len(scene.world.calls) > before


def test_a_group_that_left_the_queue_unread_is_denied_and_not_looked_for_again() -> None:
    scene, group = opened(HEADS[0]), "9" * 40

    def gone() -> Group:
        raise ForgeError(ForgeCode.CHANGED_MEANWHILE, "no such group", "")

    scene.world.call = lambda name, do: gone() if name == "group" else do()  # type: ignore[method-assign]
    with pytest.raises(ForgeError):
        scene.judging.look_at_group(MAIN, group, NOW, lambda *_: True, "")
    scene.judging.look_at_group(MAIN, group, MUCH_LATER, lambda *_: True, "")
    assert shown(scene, group) is Saying.DENIED
    assert scene.keeper.groups == {(group, context_for(MAIN)): ""}


def test_a_group_for_a_branch_that_nobody_protects_is_left_alone() -> None:
    scene = opened(HEADS[0])
    scene.judging.look_at_group(UNPROTECTED, "9" * 40, scene.now, lambda *_: True, "")
    assert (scene.world.posted, scene.world.calls) == ([], [])


@pytest.mark.parametrize("call", ["group", "read", "reviews", "publish"])
def test_a_group_of_which_a_call_fails_is_not_green(call: str) -> None:
    scene, group = opened(HEADS[0]), "9" * 40
    scene.world.groups[group] = Group(MAIN, "b" * 40, group, (Member(1, HEADS[0]),))
    for who in ("carol", "dave"):
        scene.world.approve(1, who)
    scene.world.failing = {call: [BEFORE]}
    with contextlib.suppress(ForgeError):
        scene.judging.look_at_group(MAIN, group, scene.now, lambda *_: True, "")
    assert shown(scene, group) is not Saying.ALLOWED
    scene.judging.look_at_group(MAIN, group, scene.now, lambda *_: True, "", again=True)
    assert shown(scene, group) is Saying.ALLOWED


steps = st.one_of(
    st.tuples(st.just("push"), st.integers(1, 3), st.sampled_from(HEADS)),
    st.tuples(st.just("approve"), st.integers(1, 3), st.sampled_from(("carol", "dave"))),
    st.tuples(st.just("take back"), st.integers(1, 3), st.sampled_from(("carol", "dave"))),
    st.tuples(st.just("retarget"), st.integers(1, 3), st.sampled_from((MAIN, OTHER))),
    st.tuples(st.just("close"), st.integers(1, 3), st.sampled_from(State)),
    st.tuples(st.just("event"), st.integers(1, 3), st.just("")),
    st.tuples(st.just("event"), st.integers(1, 3), st.just("")),
    st.tuples(st.just("fail"), st.sampled_from(CALLS), st.sampled_from((BEFORE, AFTER, LATE))),
    st.tuples(st.just("reconcile"), st.just(0), st.just("")),
    st.tuples(st.just("forge"), st.integers(1, 3), st.just("")),
    st.tuples(st.just("late"), st.just(0), st.just("")),
    st.tuples(st.just("wait"), st.just(0), st.just("")),
    st.tuples(st.just("kill"), st.integers(1, 3), st.integers(1, 25)),
)
meanwhiles = st.tuples(
    st.just("meanwhile"), st.lists(steps, min_size=1, max_size=3), st.just("")
)  # others do this while the next reading is judged


def step(scene: Scene, what: str, about: Any, detail: Any) -> None:
    world = scene.world
    if what == "meanwhile":
        scene.court.meanwhile.append(partial(several, scene, about))
    if what in ("push", "approve", "take back", "retarget", "close", "forge") and isinstance(about, int):
        found = world.changes[about]
        if what == "push":
            world.put(structs.replace(found, head=detail))
        elif what == "retarget":
            world.put(structs.replace(found, target=detail))
        elif what == "close":
            world.put(structs.replace(found, state=State(detail)))
        elif what != "forge":
            world.approve(about, detail, yes=what == "approve")
    elif what == "event" and isinstance(about, int):
        scene.look(about)
    elif what == "kill":
        scene.mortal.left = detail
        scene.look(about)
        scene.mortal.left = 0
    elif what == "fail" and isinstance(about, str):
        world.failing.setdefault(about, []).append(detail)
    elif what == "late" and world.late:
        world.late.pop(0)()
    elif what == "wait":
        scene.now = MUCH_LATER
    elif what == "reconcile":
        with contextlib.suppress(ForgeError):
            scene.reconcile()


def several(scene: Scene, taken: list[tuple[str, Any, str]]) -> None:
    for each in taken:
        step(scene, *each)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps | meanwhiles, max_size=40))
def test_no_order_loss_doubling_or_failure_shows_a_yes_that_no_reading_gave(taken: list[tuple[str, Any, str]]) -> None:
    scene = opened(*HEADS)
    for each in taken:
        step(scene, *each)
        for head, status, _ in scene.world.posted:
            if status.saying is Saying.ALLOWED:
                assert (head, status.context) in scene.court.allowed
    scene.world.failing, scene.court.meanwhile = {}, []
    while scene.world.late:
        scene.world.late.pop()()
    scene.reconcile()
    scene.reconcile()
    for head, context, saying in scene.right():
        assert scene.world.shown(head, context) is saying
