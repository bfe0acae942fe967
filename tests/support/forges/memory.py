"""A forge in memory, behind the one interface, with a failure switch for each call; and a change_store in memory.

A call can fail before it does anything, after it did it (the answer got lost), or with what it does coming late.
"""

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from msgspec import structs

from muniment.errors import ForgeCode, ForgeError, MunimentError
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.pipeline import ForgeSettings
from muniment.forges.branch_rules import BranchRules, BranchTip, ProtectionPlan, WantedProtection
from muniment.forges.events import ForgeEvent
from muniment.forges.forge import Forge
from muniment.forges.reviews import summarize_standing
from muniment.forges.shapes import (
    Account,
    Change,
    ChangeEdit,
    ChangeState,
    Check,
    ForgeDescription,
    ForgeRepository,
    ListedRepository,
    MergeGroup,
    Move,
    PendingMerge,
    Reading,
    RefusedRequest,
    Review,
    ReviewState,
    StandingReviews,
    Vendor,
)
from muniment.forges.statuses import Status, StatusState
from muniment.http.rate_limits import RateLimit
from muniment.workflows.forge_reconciliation import KnownChange
from muniment.workflows.status_publisher import DueReading, ReadingResult

OURS = Account("1", "muniment", True)
REPO = ForgeRepository(
    "10", "shop/api", "refs/heads/main", "http://forge.test/shop/api.git", "http://forge.test/shop/api"
)
_STATES = {StatusState.PENDING: "pending", StatusState.ALLOWED: "success", StatusState.DENIED: "failure"}
UNPROTECTED = "refs/heads/anything"
BEFORE, AFTER, LATE, NOT_THERE = "before", "after", "late", "not there"


def change(number: int, head: str, target: str = "refs/heads/main", **more: Any) -> Change:
    """An open change by bob, with the fields in `more` replaced."""
    values: dict[str, Any] = {
        "number": number,
        "title": f"change {number}",
        "text": "",
        "state": ChangeState.OPEN,
        "draft": False,
        "opener": Account("2", "bob"),
        "target": target,
        "base": "b" * 40,
        "source": f"refs/heads/topic-{number}",
        "source_repository": "10",
        "head": head,
        "labels": (),
        "opened": "2026-11-24T09:00:00.000000Z",
        "updated": "1",
        "url": f"http://forge.test/shop/api/pulls/{number}",
    }
    return Change(**{**values, **more})


class MemoryForge:
    """State of a forge. `approved` are (head, target, account); `posted` are all statuses, oldest first."""

    def __init__(self) -> None:
        self.changes: dict[int, Change] = {}
        self.approved: set[tuple[str, str, str]] = set()
        self.posted: list[tuple[str, Status, Account]] = []
        self.comments: dict[int, str] = {}
        self.tips: dict[str, str] = {"refs/heads/main": "b" * 40}
        self.failing: dict[str, list[str]] = {}
        self.groups: dict[str, MergeGroup] = {}
        self.late: list[Callable[[], None]] = []
        self.calls: list[str] = []
        self.moves: list[Move] = []
        self.rules: BranchRules | None = None
        self.settings = ForgeSettings("gitea", Known(()), Known(False), Known(False), Known(False))
        self.at = "t"  # when statuses were posted
        self._clock = 1

    def put(self, new: Change) -> None:
        """A change as it is now; whatever happens to one, its `updated` moves."""
        self.changes[new.number] = structs.replace(new, updated=self.tick())

    def tick(self) -> str:
        """The next moment of the forge's clock."""
        self._clock += 1
        return f"{self._clock:09d}"

    def approve(self, number: int, who: str, *, yes: bool = True) -> None:
        """Somebody approves a change's head, or takes it back: for every change that has it, and its target."""
        found = self.changes[number]
        word = (found.head, found.target, who)
        (self.approved.add if yes else self.approved.discard)(word)
        for each in list(self.changes.values()):
            if (each.head, each.target) == (found.head, found.target):
                self.put(each)

    def reviews(self, of: Change) -> tuple[Review, ...]:
        """Approvals of a change's head."""
        who = sorted(name for head, target, name in self.approved if (head, target) == (of.head, of.target))
        return tuple(Review(name, Account(name, name), ReviewState.APPROVED, of.head, "t") for name in who)

    def get_status(self, head: str, context: str) -> StatusState | None:
        """Newest status on a head; None without one."""
        found = [status.saying for at, status, _ in self.posted if (at, status.context) == (head, context)]
        return found[-1] if found else None

    def call(self, name: str, do: Callable[[], Any]) -> Any:
        """One call, which fails as the switch says."""
        self.calls.append(name)
        how = self.failing[name].pop(0) if self.failing.get(name) else ""
        if how == AFTER:
            do()
        elif how == LATE:
            self.late.append(do)
        if how == NOT_THERE:
            raise _gone(name)
        if how:
            raise ForgeError(ForgeCode.FAILED, f"{name} failed", "It is tried again.")
        return do()

    def forge(self) -> Forge:
        """Give access to the state by the interface `Forge`."""
        return Forge("gitea", Reader(self), Publisher(self), Protector(self), Listener())


def _gone(name: str) -> ForgeError:
    return ForgeError(ForgeCode.NOT_FOUND, f"{name}: it is not there", "Check the name.")


class Reader:
    def __init__(self, memory: MemoryForge) -> None:
        self._memory = memory

    def describe_forge(self) -> ForgeDescription:
        return ForgeDescription(Vendor.GITEA, "1.22", "", OURS)

    def get_rate_limits(self) -> dict[str, RateLimit]:
        return {}

    def count_requests(self) -> dict[str, int]:
        return {"rest": len(self._memory.calls)}

    def list_repositories(self) -> tuple[ListedRepository, ...]:
        return self._memory.call("repositories", lambda: (ListedRepository(REPO, ()),))  # type: ignore[no-any-return]

    def read_repository(self, path: str) -> ListedRepository:
        return self._memory.call("repository", lambda: ListedRepository(REPO, ()))  # type: ignore[no-any-return]

    def find_refused_requests(self, repository: ForgeRepository | None) -> tuple[RefusedRequest, ...]:
        return ()

    def list_changes(self, repository: ForgeRepository, state: ChangeState, since: str = "") -> tuple[Change, ...]:
        def listed() -> tuple[Change, ...]:
            found = [each for each in self._memory.changes.values() if each.state is state and each.updated >= since]
            return tuple(sorted(found, key=lambda each: each.updated, reverse=True))

        return self._memory.call("changes", listed)  # type: ignore[no-any-return]

    def read_change(self, repository: ForgeRepository, number: int) -> Change:
        return self._memory.call("change", lambda: self._memory.changes[number])  # type: ignore[no-any-return]

    def read_full_change(self, repository: ForgeRepository, number: int, since: str = "") -> Reading:
        """A part fails by itself: its switch is `reviews`."""

        def read() -> Reading:
            if number not in self._memory.changes:
                raise _gone("read")
            found = self._memory.changes[number]
            reviews: Maybe[tuple[Review, ...]]
            try:
                reviews = Known(self._memory.call("reviews", lambda: self._memory.reviews(found)))
            except ForgeError as error:
                reviews = Unknown(error.message)
            nothing: Any = Known(())
            merging = Known(PendingMerge(False, Unknown("nobody"), "merge"))
            return Reading(found, "t", nothing, nothing, reviews, nothing, nothing, Known({}), nothing, merging)

        return self._memory.call("read", read)  # type: ignore[no-any-return]

    def list_branches(self, repository: ForgeRepository) -> tuple[BranchTip, ...]:
        return self._memory.call(  # type: ignore[no-any-return]
            "tips", lambda: tuple(BranchTip(ref, at, True) for ref, at in self._memory.tips.items())
        )

    def read_branch_tip(self, repository: ForgeRepository, ref: str) -> str:
        return self._memory.call("tip", lambda: self._memory.tips[ref])  # type: ignore[no-any-return]

    def list_pushes(self, repository: ForgeRepository, ref: str, base: str, since: str) -> tuple[Move, ...]:
        return self._memory.call("pushes", lambda: tuple(self._memory.moves))  # type: ignore[no-any-return]

    def list_all_pushes(self, repository: ForgeRepository | str, since: str) -> tuple[Move, ...]:
        return self._memory.call("all_pushes", lambda: tuple(self._memory.moves))  # type: ignore[no-any-return]

    def read_branch_rules(self, repository: ForgeRepository, ref: str) -> BranchRules:
        return self._memory.call("rules", lambda: self._memory.rules or BranchRules(ref))  # type: ignore[no-any-return]

    def read_job_settings(self, repository: ForgeRepository) -> ForgeSettings:
        return self._memory.call("settings", lambda: self._memory.settings)  # type: ignore[no-any-return]

    def list_statuses(self, repository: ForgeRepository, head: str, until: str = "") -> tuple[Check, ...]:
        def listed() -> tuple[Check, ...]:
            newest = {(s.context, by.id): (s, by) for at, s, by in self._memory.posted if at == head}
            return tuple(
                Check(s.context, _STATES[s.saying], by, s.summary, s.url, self._memory.at) for s, by in newest.values()
            )

        return self._memory.call("statuses", listed)  # type: ignore[no-any-return]

    def list_standing_reviews(
        self, repository: ForgeRepository, numbers: Collection[int]
    ) -> dict[int, StandingReviews]:
        def listed() -> dict[int, StandingReviews]:
            there = {number: self._memory.changes[number] for number in numbers if number in self._memory.changes}
            return {
                number: StandingReviews(summarize_standing(self._memory.reviews(one))) for number, one in there.items()
            }

        return self._memory.call("standing_reviews", listed)  # type: ignore[no-any-return]

    def read_merge_group(self, repository: ForgeRepository, target: str, head: str) -> MergeGroup:
        return self._memory.call("group", lambda: self._memory.groups[head])  # type: ignore[no-any-return]

    def list_writers(self, repository: ForgeRepository) -> frozenset[str]:
        raise ForgeError(ForgeCode.UNSUPPORTED, "not listed", "")

    def list_writer_accounts(self, repository: ForgeRepository) -> tuple[Account, ...]:
        raise ForgeError(ForgeCode.UNSUPPORTED, "not listed", "")

    def can_write(self, repository: ForgeRepository, account: Account) -> bool:
        return self._memory.call("may_write", lambda: True)  # type: ignore[no-any-return]

    def fetch_header(self) -> Mapping[str, str]:
        return {}

    def change_ref(self, number: int) -> str:
        return f"refs/pull/{number}/head"


class Publisher:
    def __init__(self, memory: MemoryForge) -> None:
        self._memory = memory

    def publish_status(self, repository: ForgeRepository, head: str, status: Status) -> None:
        self._memory.call("publish", lambda: self._memory.posted.append((head, status, OURS)))

    def update_comment(self, repository: ForgeRepository, number: int, marker: str, text: str) -> None:
        self._memory.call("comment", lambda: self._memory.comments.update({number: text}))

    def request_reviews(self, repository: ForgeRepository, number: int, accounts: tuple[str, ...]) -> None:
        self._memory.call("ask", lambda: None)

    def open_change(self, repository: ForgeRepository, source: str, target: str, title: str, text: str) -> Change:
        return self._memory.call("propose", lambda: change(99, "9" * 40, target))  # type: ignore[no-any-return]

    def edit_change(self, repository: ForgeRepository, number: int, edit: ChangeEdit) -> None:
        self._memory.call("edit", lambda: None)

    def merge_change(self, repository: ForgeRepository, number: int, head: str, method: str) -> None:
        self._memory.call("merge", lambda: None)


class Protector:
    def __init__(self, memory: MemoryForge) -> None:
        self._memory = memory

    def plan_protection(self, repository: ForgeRepository, wanted: WantedProtection) -> ProtectionPlan:
        return self._memory.call(  # type: ignore[no-any-return]
            "plan", lambda: ProtectionPlan(repository.path, wanted, BranchRules(wanted.ref), (), ())
        )

    def apply_protection(self, repository: ForgeRepository, plan: ProtectionPlan) -> BranchRules:
        return self._memory.call("apply", lambda: plan.before)  # type: ignore[no-any-return]

    def delete_secret(self, repository: ForgeRepository, name: str) -> None:
        raise NotImplementedError

    def register_webhook(self, repository: ForgeRepository, url: str, secret: str) -> None:
        self._memory.call("hook", lambda: None)


class Listener:
    def is_genuine(self, secret: str, headers: Mapping[str, str], body: bytes) -> bool:
        return False

    def parse_event(self, headers: Mapping[str, str], body: bytes) -> ForgeEvent:
        raise ForgeError(ForgeCode.MALFORMED, "nothing is sent here", "")


class Row:
    """Stored state of one change."""

    def __init__(self, since: str) -> None:
        self.head = self.context = self.target = self.updated = ""
        self.since: str | None = since
        self.status: Status | None = None
        self.open = True

    def owe(self, since: str) -> None:
        """A reading is due."""
        if self.since is None:
            self.since = since
            denied = self.status is not None and self.status.saying is StatusState.DENIED
            if self.context and not denied:
                self.status = pending(self.context)


class MemoryChangeStore:
    """A change_store that keeps nothing for longer than a test."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.surely: dict[tuple[str, str], Status | None] = {}
        self.groups: dict[tuple[str, str], str] = {}  # of which a reading is due, "" for none
        self.comments: dict[int, str | None] = {}
        self.demanded: dict[str, tuple[str, ...]] = {}  # by a context, those that its branch's rule demands besides

    def is_evaluated(self, ref: str) -> bool:
        return ref != UNPROTECTED

    def begin_reading(self, number: int, now: str) -> DueReading:
        row = self.rows.setdefault(number, Row(now))
        row.owe(now)
        return DueReading(row.since or now, row.head, row.context)

    def record_open(self, change: Change, context: str) -> bool:
        row = self.rows[change.number]
        moved = row.status is None or (row.head, row.context) != (change.head, context)
        if moved:
            row.status = pending(context)
        row.head, row.context, row.target, row.updated = change.head, context, change.target, change.updated
        row.open = True
        return moved

    def record_result(self, change: Change, result: ReadingResult, since: str) -> bool:
        row = self.rows[change.number]
        if (row.head, row.context, row.since) != (change.head, result.status.context, since):
            row.owe(since)
            return False
        row.status, row.since = result.status, None
        return True

    def record_unreadable(self, number: int, error: MunimentError) -> DueReading:
        row = self.rows[number]
        if row.context:
            row.status = Status(row.context, StatusState.DENIED, error.message, "")
        return DueReading(row.since or "", row.head, row.context)

    def record_closed(self, change: Change) -> None:
        row = self.rows[change.number]
        row.open, row.since = False, None

    def record_gone(self, number: int) -> None:
        row = self.rows[number]
        row.open, row.since = False, None

    def standing_statuses(self, head: str, context: str) -> tuple[Status, ...]:
        shared = any(context in others for others in self.demanded.values())
        rows = [row for row in self.rows.values() if row.open and row.head == head]
        found = [row.status for row in rows if row.status is not None and (shared or row.context == context)]
        return tuple(structs.replace(status, context=context) for status in found)

    def standing_statuses_by_context(self, head: str, context: str) -> dict[str, tuple[Status, ...]]:
        return {place: self.standing_statuses(head, place) for place in (context, *self.demanded.get(context, ()))}

    def compare_statuses(self, head: str, context: str) -> dict[str, tuple[tuple[Status, ...], Status | None]]:
        places = self.standing_statuses_by_context(head, context)
        return {place: (standing, self.shown_status(head, place)) for place, standing in places.items()}

    @contextlib.contextmanager
    def lock_head(self, head: str) -> Iterator[None]:
        yield

    def shown_status(self, head: str, context: str) -> Status | None:
        return self.surely.get((head, context))

    def record_shown(self, head: str, status: Status, *, sure: bool) -> None:
        self.surely[head, status.context] = status if sure else None

    def begin_group_reading(self, head: str, context: str, now: str, *, again: bool) -> str:
        if self.groups.get((head, context)) == "" and self.surely.get((head, context)) and not again:
            return ""
        self.groups[head, context] = self.groups.get((head, context)) or now
        return self.groups[head, context]

    def record_group_read(self, head: str, context: str) -> None:
        self.groups[head, context] = ""

    def posted_comment(self, number: int) -> str | None:
        return self.comments.get(number, "")

    def record_comment(self, number: int, text: str | None) -> None:
        self.comments[number] = text

    def list_known_changes(self) -> dict[int, KnownChange]:
        """For a reconcile pass."""
        return {
            number: KnownChange(row.updated, row.head, row.target, row.since is not None)
            for number, row in self.rows.items()
            if row.open
        }


def pending(context: str) -> Status:
    """Status of a change whose evaluation is due."""
    return Status(context, StatusState.PENDING, "It is being evaluated.", "")
