"""Statuses at a forge: success is posted only after a complete reading, and wrong statuses recover."""

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
from muniment.forges.shapes import ChangeState, ForgeRepository, GroupMember, MergeGroup, Reading
from muniment.forges.statuses import Status, StatusState, make_context
from muniment.workflows.forge_reconciliation import compare_posted_statuses, find_missed_changes
from muniment.workflows.status_publisher import ReadingResult, StatusPublisher
from tests.support.forges.memory import (
    AFTER,
    BEFORE,
    LATE,
    NOT_THERE,
    OURS,
    REPO,
    UNPROTECTED,
    MemoryChangeStore,
    MemoryForge,
    change,
)

MAIN, OTHER = "refs/heads/main", "refs/heads/release"
HEADS = ("1" * 40, "2" * 40, "3" * 40)
NOW = "2026-11-24T09:00:00.000000Z"
MUCH_LATER = "2026-11-24T10:00:00.000000Z"
CALLS = ("read", "reviews", "publish", "comment", "changes", "statuses")


class RecordingEvaluator:
    """An evaluator that requires two approvals and records each allowed head before its status can be posted."""

    def __init__(self) -> None:
        self.allowed: set[tuple[str, str]] = set()
        self.unknown: set[int] = set()  # what was evaluated without all facts
        self.meanwhile: list[Callable[[], Any]] = []  # what others do while one reading is evaluated

    def __call__(self, reading: Reading, now: str) -> ReadingResult:
        if self.meanwhile:
            self.meanwhile.pop(0)()
        context = make_context(reading.change.target)
        known = isinstance(reading.reviews, Known)
        (self.unknown.discard if known else self.unknown.add)(reading.change.number)
        if isinstance(reading.reviews, Known) and len({each.by.id for each in reading.reviews.value}) >= 2:
            self.allowed.add((reading.change.head, context))
            return ReadingResult(Status(context, StatusState.ALLOWED, "Two others approved.", ""))
        return ReadingResult(
            Status(context, StatusState.DENIED, "Two others have to approve.", ""), "Two others have to approve."
        )


class WorkerKilled(BaseException):
    """Simulated end of a worker process."""


class DyingStore:
    """A store whose worker dies once `left` calls are used up."""

    def __init__(self, change_store: MemoryChangeStore) -> None:
        self._change_store, self.left = change_store, 0

    def __getattr__(self, name: str) -> Any:
        if self.left == 1:
            raise WorkerKilled
        self.left = max(0, self.left - 1)
        return getattr(self._change_store, name)


class ChangeSetup:
    """A forge, our store of its changes, and pending events."""

    def __init__(self) -> None:
        self.memory, self.change_store, self.evaluator = MemoryForge(), MemoryChangeStore(), RecordingEvaluator()
        self.forge = self.memory.forge()
        self.mortal: Any = DyingStore(self.change_store)
        self.publisher = StatusPublisher(self.forge, REPO, self.mortal, self.evaluator)
        self.now = NOW

    def look(self, number: int) -> bool:
        try:
            self.publisher.evaluate_and_publish(number, self.now)
        except (ForgeError, WorkerKilled):
            return False
        return True

    def reconcile(self) -> None:
        """Re-evaluate missed and unknown changes and repost missing statuses, as the service does."""
        for number in {
            *find_missed_changes(
                self.forge.reader, REPO, self.change_store.list_known_changes(), self.change_store.is_evaluated
            ),
            *self.evaluator.unknown,
        }:
            self.publisher.evaluate_and_publish(number, self.now)
        for head, context in {(row.head, row.context) for row in self.change_store.rows.values() if row.open}:
            lost, _ = compare_posted_statuses(
                self.forge.reader.list_statuses(REPO, head), head, [context], self.change_store, OURS
            )
            for place in lost:
                self.change_store.surely[place] = None
            self.publisher.publish_standing(head, context)

    def right(self) -> Iterator[tuple[str, str, StatusState]]:
        """The expected status at every place."""
        places: dict[tuple[str, str], list[bool]] = {}
        for each in self.memory.changes.values():
            if each.state is ChangeState.OPEN:
                enough = len(self.memory.reviews(each)) >= 2
                places.setdefault((each.head, make_context(each.target)), []).append(enough)
        for (head, context), each_allowed in places.items():
            yield head, context, StatusState.ALLOWED if all(each_allowed) else StatusState.DENIED


def open_changes(*heads: str) -> ChangeSetup:
    setup = ChangeSetup()
    for number, head in enumerate(heads, 1):
        setup.memory.put(change(number, head))
    return setup


def read_status(setup: ChangeSetup, head: str, ref: str = MAIN) -> StatusState | None:
    return setup.memory.get_status(head, make_context(ref))


def test_status_is_pending_before_first_evaluation_and_before_reevaluation() -> None:
    setup = open_changes(HEADS[0])
    setup.look(1)
    assert [status.saying for _, status, _ in setup.memory.posted] == [StatusState.PENDING, StatusState.DENIED]
    setup.memory.approve(1, "carol")
    setup.memory.approve(1, "dave")
    setup.look(1)
    assert [status.saying for _, status, _ in setup.memory.posted][2:] == [StatusState.ALLOWED], (
        "red stayed red until then"
    )
    setup.look(1)
    assert [status.saying for _, status, _ in setup.memory.posted][3:] == [StatusState.PENDING, StatusState.ALLOWED]


def test_status_stays_on_its_head() -> None:
    setup = open_changes(HEADS[0])
    setup.memory.approve(1, "carol")
    setup.memory.approve(1, "dave")
    setup.look(1)
    setup.memory.put(structs.replace(setup.memory.changes[1], head=HEADS[1]))
    setup.look(1)
    assert read_status(setup, HEADS[1]) is StatusState.DENIED


def test_decision_overtaken_by_push_allows_nothing_on_new_head() -> None:
    setup = open_changes(HEADS[0])
    for who in ("carol", "dave"):
        setup.memory.approve(1, who)

    def another() -> None:
        setup.memory.put(structs.replace(setup.memory.changes[1], head=HEADS[1]))
        assert setup.look(1)

    setup.evaluator.meanwhile = [another]
    assert not setup.look(1)
    setup.publisher.publish_standing(HEADS[1], make_context(MAIN))
    assert read_status(setup, HEADS[1]) is not StatusState.ALLOWED
    setup.reconcile()
    assert read_status(setup, HEADS[1]) is StatusState.DENIED


def test_decision_on_older_reading_does_not_replace_newer_one() -> None:
    setup = open_changes(HEADS[0])
    for who in ("carol", "dave"):
        setup.memory.approve(1, who)

    def another() -> None:
        setup.memory.approve(1, "dave", yes=False)
        assert setup.look(1)

    setup.evaluator.meanwhile = [another]
    assert not setup.look(1)
    assert read_status(setup, HEADS[0]) is StatusState.DENIED
    setup.reconcile()
    assert read_status(setup, HEADS[0]) is StatusState.DENIED


def test_second_change_with_same_head_needs_own_approvals() -> None:
    setup = open_changes(HEADS[0])
    setup.memory.approve(1, "carol")
    setup.memory.approve(1, "dave")
    setup.look(1)
    assert read_status(setup, HEADS[0]) is StatusState.ALLOWED
    setup.memory.put(change(2, HEADS[0], OTHER))
    setup.look(2)
    assert read_status(setup, HEADS[0]) is StatusState.ALLOWED
    assert read_status(setup, HEADS[0], OTHER) is StatusState.DENIED


def test_shared_context_is_success_only_if_all_its_changes_are_allowed() -> None:
    setup = open_changes(HEADS[0], HEADS[0])
    setup.memory.approve(1, "carol")
    setup.memory.approve(1, "dave")
    setup.evaluator.allowed.add((HEADS[0], make_context(MAIN)))
    setup.look(1)
    assert read_status(setup, HEADS[0]) is StatusState.ALLOWED
    row = setup.change_store.rows[1]
    assert row.status is not None
    setup.change_store.rows[1].status = structs.replace(row.status, saying=StatusState.DENIED)
    setup.look(2)
    assert read_status(setup, HEADS[0]) is StatusState.DENIED
    setup.memory.put(structs.replace(setup.memory.changes[1], state=ChangeState.CLOSED))
    setup.look(1)
    assert read_status(setup, HEADS[0]) is StatusState.ALLOWED


@pytest.mark.parametrize("left", [{"head": HEADS[1]}, {"target": UNPROTECTED}, {"state": ChangeState.CLOSED}])
def test_head_without_open_change_is_not_success(left: dict[str, Any]) -> None:
    setup = open_changes(HEADS[0])
    for who in ("carol", "dave"):
        setup.memory.approve(1, who)
    setup.look(1)
    before = setup.memory.changes[1]
    setup.memory.put(structs.replace(before, **left))
    setup.look(1)
    assert read_status(setup, HEADS[0]) is StatusState.PENDING
    setup.memory.put(before)
    setup.look(1)
    assert read_status(setup, HEADS[0]) is StatusState.ALLOWED


def test_deleted_change_does_not_block_others_with_same_head() -> None:
    setup = open_changes(HEADS[0], HEADS[0])
    for who in ("carol", "dave"):
        setup.memory.approve(2, who)
    setup.memory.failing = {"reviews": [BEFORE]}
    setup.look(1)
    setup.look(2)
    assert read_status(setup, HEADS[0]) is StatusState.DENIED
    del setup.memory.changes[1]
    setup.memory.failing = {"read": [NOT_THERE], "changes": [BEFORE]}
    assert not setup.look(1)
    assert read_status(setup, HEADS[0]) is StatusState.DENIED
    assert setup.look(1)
    assert read_status(setup, HEADS[0]) is StatusState.ALLOWED
    del setup.memory.changes[2]
    assert setup.look(2)
    assert read_status(setup, HEADS[0]) is StatusState.PENDING


def test_hidden_open_change_is_read_again_and_not_success() -> None:
    setup = open_changes(HEADS[0])
    setup.memory.failing = {"read": [NOT_THERE]}
    assert not setup.look(1)
    assert setup.look(1)
    setup.memory.failing = {"read": [NOT_THERE]}
    setup.now = MUCH_LATER
    assert not setup.look(1)
    assert read_status(setup, HEADS[0]) is not StatusState.ALLOWED


def test_head_missing_at_forge_does_not_block_new_head() -> None:
    setup = open_changes(HEADS[0])
    for who in ("carol", "dave"):
        setup.memory.approve(1, who)
    setup.look(1)
    publish = setup.forge.publisher.publish_status

    class Publisher:
        def publish_status(self, repository: ForgeRepository, head: str, status: Status) -> None:
            if head == HEADS[0]:
                raise ForgeError(ForgeCode.FAILED, "there is no such commit", "")
            publish(repository, head, status)

    publisher: Any = Publisher()
    setup.publisher = StatusPublisher(
        setup.forge._replace(publisher=publisher), REPO, setup.change_store, setup.evaluator
    )
    setup.memory.put(structs.replace(setup.memory.changes[1], head=HEADS[1]))
    assert not setup.look(1)
    assert read_status(setup, HEADS[1]) is None  # the head that was green may still be there
    setup.now = MUCH_LATER
    assert not setup.look(1)
    assert read_status(setup, HEADS[1]) is StatusState.DENIED
    before = len(setup.memory.posted)
    publisher.update_comment = setup.forge.publisher.update_comment
    assert setup.look(1)
    assert setup.memory.posted[before:][-1][1].summary == "Two others have to approve."


def test_merged_change_keeps_its_status() -> None:
    setup = open_changes(HEADS[0], HEADS[1])
    for who in ("carol", "dave"):
        setup.memory.approve(1, who)
    for number in (1, 2):
        setup.look(number)
        setup.memory.put(structs.replace(setup.memory.changes[number], state=ChangeState.MERGED))
        setup.look(number)
    assert [read_status(setup, head) for head in HEADS[:2]] == [StatusState.ALLOWED, StatusState.DENIED]


def allowed(*heads: str) -> ChangeSetup:
    """Open changes with two approvals each, each evaluated once."""
    setup = open_changes(*heads)
    for number in range(1, len(heads) + 1):
        for who in ("carol", "dave"):
            setup.memory.approve(number, who)
        setup.look(number)
    return setup


def test_bypass_is_posted_on_merged_head_in_every_context_of_branch() -> None:
    setup, shared = allowed(HEADS[0]), "muniment/release*"
    setup.memory.put(structs.replace(setup.memory.changes[1], state=ChangeState.MERGED))
    setup.look(1)
    setup.change_store.demanded[make_context(MAIN)] = (shared,)
    setup.publisher.publish_last(HEADS[0], Status(make_context(MAIN), StatusState.DENIED, "It was a bypass.", ""))
    assert read_status(setup, HEADS[0]) is StatusState.DENIED
    assert setup.memory.get_status(HEADS[0], shared) is StatusState.DENIED


def test_bypass_is_not_posted_on_head_of_open_change() -> None:
    setup = allowed(HEADS[0], HEADS[0])
    setup.memory.put(structs.replace(setup.memory.changes[1], state=ChangeState.MERGED))
    setup.look(1)
    setup.publisher.publish_last(HEADS[0], Status(make_context(MAIN), StatusState.DENIED, "It was a bypass.", ""))
    assert read_status(setup, HEADS[0]) is StatusState.ALLOWED


@pytest.mark.parametrize(
    ("now", "saying"),
    [("2026-11-24T09:04:59.999999Z", StatusState.PENDING), ("2026-11-24T09:05:00.000000Z", StatusState.DENIED)],
)
def test_unreadable_change_is_denied_from_deadline_on(now: str, saying: StatusState) -> None:
    setup = allowed(HEADS[0])
    setup.memory.failing = {"read": [BEFORE, BEFORE]}
    assert not setup.look(1)
    setup.now = now
    assert not setup.look(1)
    assert read_status(setup, HEADS[0]) is saying


def test_denied_change_stays_denied_when_closed() -> None:
    setup = open_changes(HEADS[0])
    setup.look(1)
    setup.memory.put(structs.replace(setup.memory.changes[1], state=ChangeState.CLOSED))
    before = len(setup.memory.posted)
    setup.look(1)
    assert len(setup.memory.posted) == before


def test_head_of_closed_change_is_pending_if_posted_status_is_unknown() -> None:
    setup = allowed(HEADS[0])
    setup.memory.put(structs.replace(setup.memory.changes[1], state=ChangeState.CLOSED))
    for setup.now, done in ((NOW, False), (MUCH_LATER, True)):
        setup.memory.failing = {"publish": [BEFORE]}
        assert setup.look(1) is done
    assert read_status(setup, HEADS[0]) is StatusState.PENDING


def test_nonexistent_change_has_no_status() -> None:
    setup = ChangeSetup()
    assert setup.look(7)
    assert setup.memory.posted == []


def test_change_merged_before_first_reading_has_no_status() -> None:
    setup = ChangeSetup()
    setup.memory.put(change(1, HEADS[0], state=ChangeState.MERGED))
    assert setup.look(1)
    assert setup.memory.posted == []


def test_head_replaced_before_merge_is_not_success() -> None:
    setup = allowed(HEADS[0])
    setup.memory.put(structs.replace(setup.memory.changes[1], state=ChangeState.MERGED, head=HEADS[1]))
    setup.look(1)
    assert read_status(setup, HEADS[0]) is StatusState.PENDING
    assert read_status(setup, HEADS[1]) is None


def test_change_for_formerly_protected_branch_becomes_pending(monkeypatch: pytest.MonkeyPatch) -> None:
    setup = allowed(HEADS[0])
    monkeypatch.setattr(setup.change_store, "is_evaluated", lambda ref: False)
    setup.look(1)
    assert read_status(setup, HEADS[0]) is StatusState.PENDING


def test_unreadable_closed_change_is_retried_and_not_treated_as_deleted() -> None:
    setup = allowed(HEADS[0])
    setup.memory.put(structs.replace(setup.memory.changes[1], state=ChangeState.CLOSED))
    setup.memory.failing = {"read": [BEFORE]}
    assert not setup.look(1)
    assert setup.change_store.rows[1].since is not None


def test_successful_head_of_closed_change_becomes_pending_with_link_to_page() -> None:
    setup, place = allowed(HEADS[0]), (HEADS[0], make_context(MAIN))
    setup.change_store.surely[place] = Status(
        make_context(MAIN), StatusState.ALLOWED, "Two others approved.", "/changes/1"
    )
    setup.change_store.rows[1].open = False  # and then the worker died
    setup.memory.put(structs.replace(setup.memory.changes[1], state=ChangeState.CLOSED))
    setup.look(1)
    assert read_status(setup, HEADS[0]) is StatusState.PENDING
    assert setup.memory.posted[-1][1].url == "/changes/1"


def test_no_status_is_posted_without_head() -> None:
    setup = ChangeSetup()
    setup.publisher.publish_standing("", make_context(MAIN))
    assert setup.memory.posted == []


def test_head_shared_with_merged_change_has_status_of_open_change() -> None:
    setup = open_changes(HEADS[0], HEADS[0])
    setup.look(1)
    setup.look(2)
    assert read_status(setup, HEADS[0]) is StatusState.DENIED
    for who in ("carol", "dave"):
        setup.memory.approve(1, who)
    setup.memory.put(structs.replace(setup.memory.changes[2], state=ChangeState.MERGED))
    setup.look(1)
    setup.look(2)
    assert read_status(setup, HEADS[0]) is StatusState.ALLOWED


def test_context_required_by_several_branches_needs_all_changes_with_head_allowed() -> None:
    setup, shared = open_changes(HEADS[0]), "muniment/release*"
    first, second = "refs/heads/release1", "refs/heads/release2"
    for ref in (first, second):
        setup.change_store.demanded[make_context(ref)] = (shared,)
    setup.memory.put(change(1, HEADS[0], first))
    for who in ("carol", "dave"):
        setup.memory.approve(1, who)
    setup.look(1)
    assert setup.memory.get_status(HEADS[0], shared) is StatusState.ALLOWED
    setup.memory.put(change(2, HEADS[0], second))
    setup.look(2)
    assert [read_status(setup, HEADS[0], ref) for ref in (first, second)] == [StatusState.ALLOWED, StatusState.DENIED]
    assert setup.memory.get_status(HEADS[0], shared) is StatusState.DENIED
    setup.look(1)
    assert setup.memory.get_status(HEADS[0], shared) is StatusState.DENIED
    for who in ("carol", "dave"):
        setup.memory.approve(2, who)
    setup.look(2)
    assert setup.memory.get_status(HEADS[0], shared) is StatusState.ALLOWED
    setup.memory.put(structs.replace(setup.memory.changes[2], head=HEADS[1]))
    setup.look(2)
    assert setup.memory.get_status(HEADS[1], shared) is StatusState.DENIED
    assert setup.memory.get_status(HEADS[0], shared) is StatusState.ALLOWED


def test_no_status_is_posted_for_unprotected_branches() -> None:
    setup = ChangeSetup()
    setup.memory.put(change(1, HEADS[0], UNPROTECTED))
    setup.look(1)
    assert setup.memory.posted == []
    setup.memory.put(change(1, HEADS[0]))
    setup.look(1)
    assert read_status(setup, HEADS[0]) is StatusState.DENIED


@pytest.mark.parametrize(
    ("approvers", "until_then"), [(("carol", "dave"), StatusState.PENDING), ((), StatusState.DENIED)]
)
def test_unreadable_change_is_not_success_and_denied_after_deadline(
    approvers: tuple[str, ...], until_then: StatusState
) -> None:
    setup = open_changes(HEADS[0])
    for who in approvers:
        setup.memory.approve(1, who)
    setup.look(1)
    setup.memory.failing = {"read": [BEFORE, BEFORE]}
    assert not setup.look(1)
    assert read_status(setup, HEADS[0]) is until_then
    setup.now = MUCH_LATER
    assert not setup.look(1)
    assert read_status(setup, HEADS[0]) is StatusState.DENIED
    assert setup.memory.posted[-1][1].summary == "read failed"


def test_change_denied_as_unreadable_is_not_reset_to_pending() -> None:
    setup = open_changes(HEADS[0])
    setup.look(1)
    setup.memory.failing = {"read": [BEFORE] * 4}
    setup.look(1)
    setup.now = MUCH_LATER
    before = len(setup.memory.posted)
    for _ in range(3):
        setup.look(1)
    assert len(setup.memory.posted) == before + 1


def test_change_that_cannot_be_evaluated_is_denied_after_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    setup = open_changes(HEADS[0])

    def broken(reading: Reading, now: str) -> ReadingResult:
        raise MunimentError("the policy cannot be read", "Mend it.")

    publisher = StatusPublisher(setup.forge, REPO, setup.change_store, broken)
    for now, saying in ((NOW, StatusState.PENDING), (MUCH_LATER, StatusState.DENIED)):
        with pytest.raises(MunimentError, match="policy"):
            publisher.evaluate_and_publish(1, now)
        assert read_status(setup, HEADS[0]) is saying


def test_reading_with_missing_part_is_not_allowed() -> None:
    setup = open_changes(HEADS[0])
    setup.memory.approve(1, "carol")
    setup.memory.approve(1, "dave")
    setup.memory.failing = {"reviews": [BEFORE]}
    setup.look(1)
    assert read_status(setup, HEADS[0]) is StatusState.DENIED


def test_single_comment_exists_only_while_change_is_blocked() -> None:
    setup = open_changes(HEADS[0])
    setup.look(1)
    setup.look(1)
    assert setup.memory.comments == {1: "Two others have to approve."}
    assert setup.memory.calls.count("comment") == 1
    setup.memory.approve(1, "carol")
    setup.memory.approve(1, "dave")
    setup.look(1)
    assert setup.memory.comments == {1: ""}


def test_forged_status_is_detected_and_ours_reposted() -> None:
    setup = open_changes(HEADS[0])
    setup.look(1)
    context = make_context(MAIN)
    mallory = structs.replace(OURS, id="66", login="mallory")
    setup.memory.posted.append((HEADS[0], Status(context, StatusState.ALLOWED, "fine", ""), mallory))
    _, forged = compare_posted_statuses(
        setup.forge.reader.list_statuses(REPO, HEADS[0]), HEADS[0], [context], setup.change_store, OURS
    )
    assert [each.by.login for each in forged] == ["mallory"]
    setup.reconcile()
    assert read_status(setup, HEADS[0]) is StatusState.DENIED


def test_merge_queue_group_is_allowed_if_machine_made_and_members_are_allowed() -> None:
    setup = open_changes(HEADS[0], HEADS[1])
    group = "9" * 40
    setup.memory.groups[group] = MergeGroup(MAIN, "b" * 40, group, (GroupMember(1, HEADS[0]), GroupMember(2, HEADS[1])))
    for number in (1, 2):
        for who in ("carol", "dave"):
            setup.memory.approve(number, who)

    def look(*, machine: bool) -> tuple[StatusState | None, str]:
        two = frozenset(HEADS[:2])
        setup.publisher.evaluate_group(
            MAIN, group, setup.now, lambda _, heads: machine and heads == two, "", again=True
        )
        return read_status(setup, group), setup.memory.posted[-1][1].summary

    assert look(machine=True) == (StatusState.ALLOWED, "All of its 2 changes are allowed.")
    assert look(machine=False)[0] is StatusState.DENIED
    setup.memory.approve(2, "dave", yes=False)
    assert look(machine=True) == (StatusState.DENIED, "Not allowed: #2.")
    setup.memory.put(structs.replace(setup.memory.changes[1], head=HEADS[2]))
    assert look(machine=True) == (StatusState.DENIED, "Not allowed: #1, #2.")
    setup.memory.failing = {"group": [BEFORE]}
    with pytest.raises(ForgeError):
        look(machine=True)
    assert read_status(setup, group) is StatusState.PENDING


def test_deleted_merge_queue_group_is_denied_at_reevaluation() -> None:
    setup, group = open_changes(HEADS[0]), "9" * 40

    def gone() -> MergeGroup:
        raise ForgeError(ForgeCode.CHANGED_MEANWHILE, "no such group", "")

    setup.memory.call = lambda name, do: gone() if name == "group" else do()  # type: ignore[method-assign]
    with pytest.raises(ForgeError):
        setup.publisher.evaluate_group(MAIN, group, setup.now, lambda *_: True, "")
    assert read_status(setup, group) is StatusState.PENDING
    setup.publisher.evaluate_group(MAIN, group, setup.now, lambda *_: True, "", again=True)
    assert read_status(setup, group) is StatusState.DENIED
    assert setup.change_store.groups == {(group, make_context(MAIN)): ""}


def test_unreadable_group_is_denied_after_deadline_and_reevaluated_when_readable() -> None:
    setup, group = open_changes(HEADS[0]), "9" * 40
    setup.memory.groups[group] = MergeGroup(MAIN, "b" * 40, group, (GroupMember(1, HEADS[0]),))
    for who in ("carol", "dave"):
        setup.memory.approve(1, who)

    def look(now: str) -> tuple[StatusState | None, int]:
        setup.memory.failing = {"group": [BEFORE]} if now else {}
        with contextlib.suppress(ForgeError):
            setup.publisher.evaluate_group(MAIN, group, now or MUCH_LATER, lambda *_: True, "")
        return read_status(setup, group), len(setup.memory.posted)

    assert look(NOW) == (StatusState.PENDING, 1)
    assert look(NOW) == (StatusState.PENDING, 1)
    assert look(MUCH_LATER) == (StatusState.DENIED, 2)
    assert "group failed" in setup.memory.posted[-1][1].summary
    assert look(MUCH_LATER) == (StatusState.DENIED, 2)
    assert look("")[0] is StatusState.ALLOWED
    assert setup.change_store.groups == {(group, make_context(MAIN)): ""}


def test_evaluated_group_is_not_reevaluated_for_events_of_own_statuses() -> None:
    setup, group = open_changes(HEADS[0]), "9" * 40
    setup.memory.groups[group] = MergeGroup(MAIN, "b" * 40, group, (GroupMember(1, HEADS[0]),))
    setup.publisher.evaluate_group(MAIN, group, NOW, lambda *_: True, "")
    before = len(setup.memory.calls)
    setup.publisher.evaluate_group(MAIN, group, NOW, lambda *_: True, "")
    assert len(setup.memory.calls) == before
    setup.publisher.evaluate_group(MAIN, group, NOW, lambda *_: True, "", again=True)
    assert len(setup.memory.calls) > before


def test_group_that_left_queue_unread_is_denied_once() -> None:
    setup, group = open_changes(HEADS[0]), "9" * 40

    def gone() -> MergeGroup:
        raise ForgeError(ForgeCode.CHANGED_MEANWHILE, "no such group", "")

    setup.memory.call = lambda name, do: gone() if name == "group" else do()  # type: ignore[method-assign]
    with pytest.raises(ForgeError):
        setup.publisher.evaluate_group(MAIN, group, NOW, lambda *_: True, "")
    setup.publisher.evaluate_group(MAIN, group, MUCH_LATER, lambda *_: True, "")
    assert read_status(setup, group) is StatusState.DENIED
    assert setup.change_store.groups == {(group, make_context(MAIN)): ""}


def test_group_for_unprotected_branch_gets_no_status() -> None:
    setup = open_changes(HEADS[0])
    setup.publisher.evaluate_group(UNPROTECTED, "9" * 40, setup.now, lambda *_: True, "")
    assert (setup.memory.posted, setup.memory.calls) == ([], [])


@pytest.mark.parametrize("call", ["group", "read", "reviews", "publish"])
def test_group_with_failing_call_is_not_success(call: str) -> None:
    setup, group = open_changes(HEADS[0]), "9" * 40
    setup.memory.groups[group] = MergeGroup(MAIN, "b" * 40, group, (GroupMember(1, HEADS[0]),))
    for who in ("carol", "dave"):
        setup.memory.approve(1, who)
    setup.memory.failing = {call: [BEFORE]}
    with contextlib.suppress(ForgeError):
        setup.publisher.evaluate_group(MAIN, group, setup.now, lambda *_: True, "")
    assert read_status(setup, group) is not StatusState.ALLOWED
    setup.publisher.evaluate_group(MAIN, group, setup.now, lambda *_: True, "", again=True)
    assert read_status(setup, group) is StatusState.ALLOWED


steps = st.one_of(
    st.tuples(st.just("push"), st.integers(1, 3), st.sampled_from(HEADS)),
    st.tuples(st.just("approve"), st.integers(1, 3), st.sampled_from(("carol", "dave"))),
    st.tuples(st.just("take back"), st.integers(1, 3), st.sampled_from(("carol", "dave"))),
    st.tuples(st.just("retarget"), st.integers(1, 3), st.sampled_from((MAIN, OTHER))),
    st.tuples(st.just("close"), st.integers(1, 3), st.sampled_from(ChangeState)),
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
)  # others do this while the next reading is evaluated


def apply_event(setup: ChangeSetup, what: str, about: Any, detail: Any) -> None:
    memory = setup.memory
    if what == "meanwhile":
        setup.evaluator.meanwhile.append(partial(apply_events, setup, about))
    if what in ("push", "approve", "take back", "retarget", "close", "forge") and isinstance(about, int):
        found = memory.changes[about]
        if what == "push":
            memory.put(structs.replace(found, head=detail))
        elif what == "retarget":
            memory.put(structs.replace(found, target=detail))
        elif what == "close":
            memory.put(structs.replace(found, state=ChangeState(detail)))
        elif what != "forge":
            memory.approve(about, detail, yes=what == "approve")
    elif what == "event" and isinstance(about, int):
        setup.look(about)
    elif what == "kill":
        setup.mortal.left = detail
        setup.look(about)
        setup.mortal.left = 0
    elif what == "fail" and isinstance(about, str):
        memory.failing.setdefault(about, []).append(detail)
    elif what == "late" and memory.late:
        memory.late.pop(0)()
    elif what == "wait":
        setup.now = MUCH_LATER
    elif what == "reconcile":
        with contextlib.suppress(ForgeError):
            setup.reconcile()


def apply_events(setup: ChangeSetup, taken: list[tuple[str, Any, str]]) -> None:
    for each in taken:
        apply_event(setup, *each)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps | meanwhiles, max_size=40))
def test_reordered_lost_or_repeated_events_and_failures_never_post_unfounded_success(
    taken: list[tuple[str, Any, str]],
) -> None:
    setup = open_changes(*HEADS)
    for each in taken:
        apply_event(setup, *each)
        for head, status, _ in setup.memory.posted:
            if status.saying is StatusState.ALLOWED:
                assert (head, status.context) in setup.evaluator.allowed
    setup.memory.failing, setup.evaluator.meanwhile = {}, []
    while setup.memory.late:
        setup.memory.late.pop()()
    setup.reconcile()
    setup.reconcile()
    for head, context, saying in setup.right():
        assert setup.memory.get_status(head, context) is saying
