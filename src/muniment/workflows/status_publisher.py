"""Evaluate a change at its forge: the forge never shows more on a head than a complete reading of it allows.

- An allowed head is shown as pending before it is read again, and then the result, on exactly the head that was
evaluated. A denied one stays denied meanwhile.
- A result is recorded before it is shown, and is kept only if nobody else read the change meanwhile. A head shows the
worst status of all open changes that have it, in one context; where none has it any more, it shows no success either.
- An unreadable change stays pending, and past a deadline is denied.
- A failure is raised, to be tried again. No failure leaves a success behind that no reading gave.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from msgspec import Struct, structs

from muniment.errors import ForgeCode, ForgeError, MunimentError
from muniment.facts import moments
from muniment.forges.forge import Forge
from muniment.forges.shapes import Change, ChangeState, ForgeRepository, MergeGroup, Reading
from muniment.forges.statuses import Status, StatusState, make_context
from muniment.workflows.forge_status_text import unreadable_status

UNREADABLE_MINUTES = 5  # minutes after which what cannot be read is denied

_WITHOUT_CHANGE = "No open change has it. It is evaluated again once one does."
_WORST_FIRST = (StatusState.DENIED, StatusState.PENDING, StatusState.ALLOWED)


class DueReading(Struct, frozen=True):
    """Moment since when a reading is due, and the known state of the change before: "" where it was unknown.

    `delivered_at`: the moment of the newest delivery about the change since it was read, if there was one.
    """

    since: str
    head: str = ""
    context: str = ""
    delivered_at: str = ""


class BegunReading(Struct, frozen=True):
    """A reading that began at `now`. `posted`: status that the forge surely shows, None if that is unknown."""

    number: int
    due: DueReading
    posted: Status | None
    now: str


class ReadChange(Struct, frozen=True):
    """Change that was read at the moment `now`, because a reading was due `since` then.

    `reading` is None for a change that needs no evaluation.
    """

    number: int
    since: str
    now: str
    reading: Reading | None


class ReadingResult(Struct, frozen=True):
    """Result of one reading, which is recorded by now. `comment` is "" for an allowed change.

    `until` is the moment from which on the same reading may be denied, "" for none.
    """

    status: Status
    comment: str = ""
    until: str = ""


# For each context, the statuses in it, and the one that the forge surely shows there; None if that is unknown.
ComparedStatuses = Mapping[str, tuple[tuple[Status, ...], Status | None]]


class ChangeStore(Protocol):
    """Stores the statuses of the changes of one repository. Each method is done wholly, or raises."""

    def is_evaluated(self, ref: str) -> bool:
        """Whether changes for that branch are evaluated at all: whether it is protected."""

    def begin_reading(self, number: int, now: str) -> DueReading:
        """Note that a reading is due: an allowed status becomes pending; a denied one stays so until the reading."""

    def record_open(self, change: Change, context: str) -> bool:
        """Record that the change is open with this head, in this context. Whether it was not: it is pending then."""

    def record_result(self, change: Change, result: ReadingResult, since: str) -> bool:
        """Record the result of the reading that was due `since`, which is done then.

        False if another worker evaluated the change meanwhile, or read another head or target: then a reading stays
        due.
        """

    def record_unreadable(self, number: int, error: MunimentError) -> DueReading:
        """Record the denial of a change that was unreadable for too long. Returns its known state."""

    def record_closed(self, change: Change) -> None:
        """Record that the change is merged, closed, or for an unprotected branch: it has no status any more."""

    def record_gone(self, number: int) -> None:
        """Record that the forge has the change no more: it has no status any more."""

    def standing_statuses(self, head: str, context: str) -> tuple[Status, ...]:
        """Statuses of each open change with that head in that context; in a shared context those of all with
        that head.
        """

    def standing_statuses_by_context(self, head: str, context: str) -> Mapping[str, tuple[Status, ...]]:
        """Statuses in that context, and in each that the forge requires of its branch besides.

        A rule for several branches has only one.
        """

    def compare_statuses(self, head: str, context: str) -> ComparedStatuses:
        """Statuses in each of these contexts, and the one that the forge surely shows there; None if that is
        unknown.
        """

    def lock_head(self, head: str) -> AbstractContextManager[None]:
        """Exclusive lock on publishing statuses of this head."""

    def shown_status(self, head: str, context: str) -> Status | None:
        """Status that the forge surely shows there; None if that is unknown."""

    def record_shown(self, head: str, status: Status, *, sure: bool) -> None:
        """Record that a status is about to be shown, or, `sure`, that the forge confirmed it."""

    def begin_group_reading(self, head: str, context: str, now: str, *, again: bool) -> str:
        """Moment since when the queue's group with that head has to be read; "" if it was read, and is not wanted
        `again`.
        """

    def record_group_read(self, head: str, context: str) -> None:
        """Record that the result of the group is shown there, and no reading of it is due."""

    def posted_comment(self, number: int) -> str | None:
        """Text that our comment surely has, "" if there is none; None if that is unknown."""

    def record_comment(self, number: int, text: str | None) -> None:
        """Record the text of our comment from now on; None while that is not sure."""


class ReadingEvaluator(Protocol):
    """Evaluates a reading and records the result."""

    def __call__(self, reading: Reading, now: str) -> ReadingResult:
        """Evaluate the reading. Its result is recorded on return. Raises MunimentError if it cannot be evaluated."""


# Whether a machine makes a group of these allowed heads, alone.
IsMachineMerge = Callable[[MergeGroup, frozenset[str]], bool]


class StatusPublisher:
    """Evaluates the changes of one repository at a forge, and publishes their statuses."""

    def __init__(
        self, forge: Forge, repository: ForgeRepository, store: ChangeStore, evaluator: ReadingEvaluator
    ) -> None:
        self._forge = forge
        self._repository = repository
        self._store = store
        self._evaluator = evaluator

    def evaluate_and_publish(self, number: int, now: str) -> None:
        """Read the change, evaluate it, and publish the result. Raises MunimentError for a failure that has to be tried
        again.
        """
        self.update_comment(number, self.publish_result(self.read_change(self.begin_reading(number, now))))

    def begin_reading(self, number: int, now: str) -> BegunReading:
        """Show pending where the change's head is green, for `read_change`. Raises MunimentError like that."""
        due = self._store.begin_reading(number, now)
        before: Status | None = None
        try:
            # Pending first: while the change is read, an old success must not let anybody merge what was pushed
            # meanwhile.
            if due.head:
                statuses = self._store.compare_statuses(due.head, due.context)
                before = statuses[due.context][1]
                self._publish_worst(due.head, due.context, known=statuses)
        except ForgeError:
            if not _is_late(due.since, now):
                raise  # past the deadline it is read all the same: the forge may not have that head any more
        return BegunReading(number, due, before, now)

    def read_change(self, begun: BegunReading) -> ReadChange:
        """Read the change, for `publish_result`. Raises MunimentError like that."""
        number, due, now = begun.number, begun.due, begun.now
        try:
            return ReadChange(number, due.since, now, self._read_change(number, due, begun.posted))
        except MunimentError as error:
            self._deny_unreadable(number, due.since, now, error)
            raise

    def publish_result(self, read: ReadChange) -> str | None:
        """Evaluate the reading, and publish the result. Raises MunimentError for a failure that has to be tried again.

        Returns the text that our comment has to have, "" for none; None for a change that needs no evaluation.
        """
        reading = read.reading
        if reading is None:
            return None
        try:
            result = self._evaluator(reading, read.now)
        except MunimentError as error:
            self._deny_unreadable(read.number, read.since, read.now, error)
            raise
        # Recorded before it is shown: if this process dies in between, the next one shows what is recorded, and not
        # more.
        if not self._store.record_result(reading.change, result, read.since):
            raise ForgeError(ForgeCode.CHANGED_MEANWHILE, "it was evaluated meanwhile", "It is read again.")
        self.publish_standing(reading.change.head, make_context(reading.change.target))
        return result.comment

    def publish_standing(self, head: str, context: str) -> None:
        """Publish the status of a head ("" for none), unless it surely is shown already. Without one, nothing is
        published.
        """
        if head:
            self._publish_worst(head, context)

    def publish_last(self, head: str, status: Status) -> None:
        """Publish a status on the head of a merged change, unless an open change has that head too."""
        # Compared under the lock: else a result that is older than another worker's could be shown after it.
        with self._store.lock_head(head):
            for place, standing in self._store.standing_statuses_by_context(head, status.context).items():
                if not standing:
                    self._publish_status(head, structs.replace(status, context=place))

    def evaluate_group(
        self, target: str, head: str, now: str, carries: IsMachineMerge, url: str, *, again: bool = False
    ) -> None:
        """Publish on the head of a merge queue's or train's group whether all of it is allowed: the branch becomes
        that.

        Each member is read and evaluated anew. Raises MunimentError for a failure that has to be tried again; until
        then it is pending, and past the deadline denied. Evaluated `again`, or past the deadline, a group that is gone
        is denied. A group never changes: an evaluated one is left alone unless it is wanted `again`, for a change of a
        member.
        """
        context = make_context(target)
        since = (
            self._store.begin_group_reading(head, context, now, again=again) if self._store.is_evaluated(target) else ""
        )
        if not since:
            return
        late = _is_late(since, now)
        if not late:
            self._publish_worst(
                head, context, (Status(context, StatusState.PENDING, "Its members are being evaluated.", url),)
            )
        try:
            status = self._find_group_status(
                self._read_group(target, head, gone=again or late), context, now, carries, url
            )
        except MunimentError as error:
            if late:
                self._publish_worst(head, context, (unreadable_status(context, url, error),))
            raise
        self._publish_worst(head, context, (status,))
        self._store.record_group_read(head, context)

    def _read_group(self, target: str, head: str, *, gone: bool) -> MergeGroup:
        """Read the group; an empty one if it may be `gone`, and is."""
        try:
            return self._forge.reader.read_merge_group(self._repository, target, head)
        except ForgeError as error:
            if not gone or error.code not in (ForgeCode.CHANGED_MEANWHILE, ForgeCode.UNSUPPORTED):
                raise
            return MergeGroup(target, "", head, ())

    def _find_group_status(
        self, group: MergeGroup, context: str, now: str, carries: IsMachineMerge, url: str
    ) -> Status:
        for member in group.members:
            self.evaluate_and_publish(member.number, now)
        heads = frozenset(member.head for member in group.members if self._is_allowed(member.head, context))
        stopped = [f"#{member.number}" for member in group.members if member.head not in heads]
        if stopped or not group.members:
            return Status(context, StatusState.DENIED, f"Not allowed: {', '.join(stopped) or 'nothing is in it'}.", url)
        if not carries(group, heads):
            problem = "It is not the machine merge of its members.\nRemove it from the queue, and add it again."
            return Status(context, StatusState.DENIED, problem, url)
        return Status(context, StatusState.ALLOWED, f"All of its {len(group.members)} changes are allowed.", url)

    def _is_allowed(self, head: str, context: str) -> bool:
        found = find_worst_status(self._store.standing_statuses(head, context))
        return found is not None and found.saying is StatusState.ALLOWED

    def _publish_worst(
        self, head: str, context: str, more: tuple[Status, ...] = (), known: ComparedStatuses | None = None
    ) -> None:
        """Publish the worst status of a head, and of `more`, in each context that the branch's rule requires.

        `known` are its statuses if they were just read. Mostly nothing is to be done, which needs no lock: who changes
        a status meanwhile publishes it afterwards.
        """
        statuses = known if known is not None else self._store.compare_statuses(head, context)
        if _list_unpublished(statuses, more):
            with self._store.lock_head(head):
                for status in _list_unpublished(self._store.compare_statuses(head, context), more):
                    self._publish_status(head, status)

    def _publish_status(self, head: str, status: Status) -> None:
        """Publish one status. The caller holds the lock on that head."""
        self._store.record_shown(head, status, sure=False)
        self._forge.publisher.publish_status(self._repository, head, status)
        self._store.record_shown(head, status, sure=True)

    def _read_change(self, number: int, due: DueReading, posted: Status | None) -> Reading | None:
        """Read the change, with pending shown on its head. At its former place, statuses of other changes may be shown.

        A merged change keeps the last `posted` status. None for a change that the forge has no more.
        """
        try:
            reading = self._forge.reader.read_full_change(self._repository, number, due.delivered_at)
        except ForgeError as error:
            if error.code is not ForgeCode.NOT_FOUND or self._is_open(number):
                raise
            self._store.record_gone(number)
            if due.head:
                self.publish_standing(due.head, due.context)
                self._withdraw_status(due.head, due.context)
            return None
        change, context = reading.change, make_context(reading.change.target)
        counts, moved = self._is_relevant(change), True
        if counts:
            moved = self._store.record_open(change, context)
        else:
            self._store.record_closed(change)
        here, before = (change.head, context), (due.head, due.context)
        if moved:  # else it was published before the change was read
            self.publish_standing(*here)
        if due.head and (before != here or change.state is ChangeState.CLOSED):
            self.publish_standing(*before)
            self._withdraw_status(*before)
        elif change.state is ChangeState.MERGED and posted is not None:
            self._withdraw_status(*here, posted)
        return reading if counts else None

    def _withdraw_status(self, head: str, context: str, last: Status | None = None) -> None:
        """Withdraw the status of a head that a change no longer has. Where no change has it, a success ends.

        Else the change would be green again the moment that somebody pushes the head back, before anything is read. A
        merged change keeps its `last` status.
        """
        with self._store.lock_head(head):
            for place, (standing, posted) in self._store.compare_statuses(head, context).items():
                if standing:
                    continue
                if last is not None:
                    self._publish_status(head, structs.replace(last, context=place))
                elif posted is None or posted.saying is StatusState.ALLOWED:
                    self._publish_status(
                        head, Status(place, StatusState.PENDING, _WITHOUT_CHANGE, posted.url if posted else "")
                    )

    def _is_open(self, number: int) -> bool:
        return any(
            change.number == number for change in self._forge.reader.list_changes(self._repository, ChangeState.OPEN)
        )

    def _is_relevant(self, change: Change) -> bool:
        return change.state is ChangeState.OPEN and self._store.is_evaluated(change.target)

    def _deny_unreadable(self, number: int, since: str, now: str, error: MunimentError) -> None:
        if _is_late(since, now):
            known = self._store.record_unreadable(number, error)
            self.publish_standing(known.head, known.context)

    def update_comment(self, number: int, text: str | None) -> None:
        """Publish the text of our comment, "" to delete it; None leaves it. Raises ForgeError."""
        if text is None or text == self._store.posted_comment(number):
            return
        self._store.record_comment(number, None)
        self._forge.publisher.update_comment(self._repository, number, COMMENT_MARKER, text)
        self._store.record_comment(number, text)


COMMENT_MARKER = "muniment-decision"


def _is_late(since: str, now: str) -> bool:
    return now >= moments.add_time(since, minutes=UNREADABLE_MINUTES)


def _list_unpublished(statuses: ComparedStatuses, more: tuple[Status, ...]) -> list[Status]:
    """Statuses that the forge may not show yet."""
    found = []
    for place, (standing, posted) in statuses.items():
        here = tuple(structs.replace(status, context=place) for status in more)
        status = find_worst_status((*here, *standing))
        if status is not None and status != posted:
            found.append(status)
    return found


def find_worst_status(found: tuple[Status, ...]) -> Status | None:
    """Status that blocks most; None for none at all."""
    ordered = sorted(found, key=lambda status: _WORST_FIRST.index(status.saying))
    return ordered[0] if ordered else None
