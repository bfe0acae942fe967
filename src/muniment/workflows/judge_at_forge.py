"""Judge a change where people work: a forge never shows more on a head than a complete reading of it allows.

- What is green is shown as pending before it is read again, and then the verdict, on exactly the head that was judged.
  What is denied stays so meanwhile.
- A verdict is recorded before it is shown, and stands only if nobody else read the change meanwhile. On a head stands
  the worst of what stands for all open changes that have it, in one context; where none has it any more, no yes stands
  either.
- What cannot be read stays pending, and past a deadline is denied.
- What fails is raised, to be tried again. Nothing that fails leaves a yes behind that no reading gave.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from msgspec import Struct, structs

from muniment.errors import ForgeCode, ForgeError, MunimentError
from muniment.facts import moments
from muniment.forges.forge import Forge
from muniment.forges.shapes import Change, Group, Reading, Repo, State
from muniment.forges.statuses import Saying, Status, context_for
from muniment.workflows.telling_forge import unread

PATIENCE = 5  # minutes after which what cannot be read is denied

_NOBODYS = "No open change has it. It is evaluated again once one does."
_WORST_FIRST = (Saying.DENIED, Saying.PENDING, Saying.ALLOWED)


class Due(Struct, frozen=True):
    """Since when a reading is due, and what was known of the change before: "" for what was not.

    `heard`: the moment at which it was touched since it was read, if deliveries told it.
    """

    since: str
    head: str = ""
    context: str = ""
    heard: str = ""


class Verdict(Struct, frozen=True):
    """What came of judging one reading, recorded by now. `comment` is "" where nothing is wrong.

    `until` is the moment from which on the same reading may be denied, "" for none.
    """

    status: Status
    comment: str = ""
    until: str = ""


class Keeper(Protocol):
    """Remembers what stands for the changes of one repository. Each method is done wholly, or raises."""

    def judges(self, ref: str) -> bool:
        """Whether changes for that branch are judged at all: whether it is protected."""

    def due(self, number: int, now: str) -> Due:
        """A reading is due: an allowance that stood makes room for pending; what is denied stays so until then."""

    def opened(self, change: Change, context: str) -> None:
        """It is open, and so its head is this one, in this context: pending."""

    def judged(self, change: Change, verdict: Verdict, since: str) -> bool:
        """This stands for it now, and the reading that was due `since` then is so no more.

        False if another judged it meanwhile, or read another head or target: nothing is known but that one is due.
        """

    def unread(self, number: int, error: MunimentError) -> Due:
        """Denied, since it could not be read for so long. What is known of it by now."""

    def over(self, change: Change) -> None:
        """It is merged, closed, or for a branch that is not protected: nothing stands for it any more."""

    def gone(self, number: int) -> None:
        """The forge has it no more: nothing stands for it."""

    def standing(self, head: str, context: str) -> tuple[Status, ...]:
        """What stands for each open change with that head in that context; in a shared one for all with that head."""

    def standing_everywhere(self, head: str, context: str) -> Mapping[str, tuple[Status, ...]]:
        """The same in that context, and in each that the forge demands of its branch besides.

        A rule for several branches has but one.
        """

    def compare(self, head: str, context: str) -> Mapping[str, tuple[tuple[Status, ...], Status | None]]:
        """What stands in each of these places, and what the forge surely shows there; None if that is not known."""

    def alone(self, head: str) -> AbstractContextManager[None]:
        """While it lasts, nobody else shows anything on that head."""

    def shown(self, head: str, context: str) -> Status | None:
        """What the forge surely shows there; None if that is not known."""

    def show(self, head: str, status: Status, *, sure: bool) -> None:
        """It is about to be shown, or, `sure`, the forge said that it is."""

    def group_due(self, head: str, context: str, now: str, *, again: bool) -> str:
        """A queue's group with that head has to be read; since when. "" if it was, and is not wanted `again`."""

    def group_read(self, head: str, context: str) -> None:
        """What is shown there is the verdict on the group, and no reading of it is due."""

    def commented(self, number: int) -> str | None:
        """What our comment surely says, "" if there is none; None if that is not known."""

    def comment(self, number: int, text: str | None) -> None:
        """What it says from now on; None while that is not sure."""


class Judge(Protocol):
    """Judges a reading and records what came of it."""

    def __call__(self, reading: Reading, now: str) -> Verdict:
        """The verdict. When it returns, it is on the record. Raises MunimentError if it could not be judged."""


Carries = Callable[[Group, frozenset[str]], bool]  # whether a machine makes a group of these allowed heads, alone


class Judging:
    """The judging of the changes of one repository at a forge."""

    def __init__(self, forge: Forge, repository: Repo, keeper: Keeper, judge: Judge) -> None:
        self._forge = forge
        self._repository = repository
        self._keeper = keeper
        self._judge = judge

    def look(self, number: int, now: str) -> None:
        """Read the change, judge it, and show the verdict. Raises MunimentError for what has to be tried again."""
        due = self._keeper.due(number, now)
        before = self._keeper.shown(due.head, due.context) if due.head else None
        try:
            self.show(due.head, due.context)
        except ForgeError:
            if not _late(due.since, now):
                raise  # past the deadline it is read all the same: the forge may not have that head any more
        try:
            reading = self._read(number, due, before)
            verdict = self._judge(reading, now) if reading is not None else None
        except MunimentError as error:
            self._give_up(number, due.since, now, error)
            raise
        if reading is not None and verdict is not None:
            if not self._keeper.judged(reading.change, verdict, due.since):
                raise ForgeError(ForgeCode.CHANGED_MEANWHILE, "it was evaluated meanwhile", "It is read again.")
            self.show(reading.change.head, context_for(reading.change.target))
            self._comment(number, verdict.comment)

    def show(self, head: str, context: str) -> None:
        """Show what stands on a head ("" for none), unless it surely is shown. Nothing stands: nothing is shown."""
        if head:
            self._show(head, context)

    def show_last(self, head: str, status: Status) -> None:
        """Show a status on the head of a merged change, unless an open change has that head too."""
        with self._keeper.alone(head):
            for place, standing in self._keeper.standing_everywhere(head, status.context).items():
                if not standing:
                    self._say(head, structs.replace(status, context=place))

    def look_at_group(
        self, target: str, head: str, now: str, carries: Carries, url: str, *, again: bool = False
    ) -> None:
        """Show on the head of a merge queue's or train's group whether all of it is allowed: what the branch becomes.

        Each member is read and judged anew. Raises MunimentError for what has to be tried again; until then it is
        pending, and past the deadline denied. Looked at `again`, or past the deadline, one that is no more is denied.
        A group never changes: one that was judged is left alone unless it is wanted `again`, for what a member became.
        """
        context = context_for(target)
        since = self._keeper.group_due(head, context, now, again=again) if self._keeper.judges(target) else ""
        if not since:
            return
        late = _late(since, now)
        if not late:
            self._show(head, context, (Status(context, Saying.PENDING, "Its members are being evaluated.", url),))
        try:
            status = self._of_group(self._group(target, head, gone=again or late), context, now, carries, url)
        except MunimentError as error:
            if late:
                self._show(head, context, (unread(context, url, error),))
            raise
        self._show(head, context, (status,))
        self._keeper.group_read(head, context)

    def _group(self, target: str, head: str, *, gone: bool) -> Group:
        """The group; one of nothing if it may be `gone`, and is."""
        try:
            return self._forge.reader.group(self._repository, target, head)
        except ForgeError as error:
            if not gone or error.code not in (ForgeCode.CHANGED_MEANWHILE, ForgeCode.UNSUPPORTED):
                raise
            return Group(target, "", head, ())

    def _of_group(self, group: Group, context: str, now: str, carries: Carries, url: str) -> Status:
        for member in group.members:
            self.look(member.number, now)
        heads = frozenset(member.head for member in group.members if self._allowed(member.head, context))
        stopped = [f"#{member.number}" for member in group.members if member.head not in heads]
        if stopped or not group.members:
            return Status(context, Saying.DENIED, f"Not allowed: {', '.join(stopped) or 'nothing is in it'}.", url)
        if not carries(group, heads):
            told = "It is not the machine merge of its members.\nRemove it from the queue, and add it again."
            return Status(context, Saying.DENIED, told, url)
        return Status(context, Saying.ALLOWED, f"All of its {len(group.members)} changes are allowed.", url)

    def _allowed(self, head: str, context: str) -> bool:
        found = worst(self._keeper.standing(head, context))
        return found is not None and found.saying is Saying.ALLOWED

    def _show(self, head: str, context: str, more: tuple[Status, ...] = ()) -> None:
        """Show what stands on a head, and `more` that does, in each context in which the branch's rule asks for it."""
        with self._keeper.alone(head):
            for place, (standing, shown) in self._keeper.compare(head, context).items():
                here = tuple(structs.replace(status, context=place) for status in more)
                status = worst((*here, *standing))
                if status is not None and status != shown:
                    self._say(head, status)

    def _say(self, head: str, status: Status) -> None:
        """Held by whoever is alone on that head."""
        self._keeper.show(head, status, sure=False)
        self._forge.publisher.publish(self._repository, head, status)
        self._keeper.show(head, status, sure=True)

    def _read(self, number: int, due: Due, shown: Status | None) -> Reading | None:
        """The reading, with pending shown on the head that it is of. Where it was before, others may stand.

        What was merged keeps what was `shown` of it last. None for a change that is not to be evaluated: it is over, or
        the forge has it no more.
        """
        try:
            reading = self._forge.reader.read(self._repository, number, due.heard)
        except ForgeError as error:
            if error.code is not ForgeCode.NOT_FOUND or self._is_open(number):
                raise
            self._keeper.gone(number)
            if due.head:
                self.show(due.head, due.context)
                self._leave(due.head, due.context)
            return None
        change, context = reading.change, context_for(reading.change.target)
        counts = self._counts(change)
        if counts:
            self._keeper.opened(change, context)
        else:
            self._keeper.over(change)
        here, before = (change.head, context), (due.head, due.context)
        self.show(*here)
        if due.head and (before != here or change.state is State.CLOSED):
            self.show(*before)
            self._leave(*before)
        elif change.state is State.MERGED and shown is not None:
            self._leave(*here, shown)
        return reading if counts else None

    def _leave(self, head: str, context: str, last: Status | None = None) -> None:
        """A change has this head no more. Where none does, what was allowed there is so no more, or it is as it was.

        Or the change would be green again the moment that somebody pushes the head back, before anything is read. What
        was merged keeps its `last` verdict.
        """
        with self._keeper.alone(head):
            for place, (standing, shown) in self._keeper.compare(head, context).items():
                if standing:
                    continue
                if last is not None:
                    self._say(head, structs.replace(last, context=place))
                elif shown is None or shown.saying is Saying.ALLOWED:
                    self._say(head, Status(place, Saying.PENDING, _NOBODYS, shown.url if shown else ""))

    def _is_open(self, number: int) -> bool:
        return any(change.number == number for change in self._forge.reader.changes(self._repository, State.OPEN))

    def _counts(self, change: Change) -> bool:
        return change.state is State.OPEN and self._keeper.judges(change.target)

    def _give_up(self, number: int, since: str, now: str, error: MunimentError) -> None:
        if _late(since, now):
            known = self._keeper.unread(number, error)
            self.show(known.head, known.context)

    def _comment(self, number: int, text: str) -> None:
        if text == self._keeper.commented(number):
            return
        self._keeper.comment(number, None)
        self._forge.publisher.comment(self._repository, number, MARKER, text)
        self._keeper.comment(number, text)


MARKER = "muniment-decision"


def _late(since: str, now: str) -> bool:
    return now >= moments.later(since, minutes=PATIENCE)


def worst(found: tuple[Status, ...]) -> Status | None:
    """The one that blocks most; None for none at all."""
    ordered = sorted(found, key=lambda status: _WORST_FIRST.index(status.saying))
    return ordered[0] if ordered else None
