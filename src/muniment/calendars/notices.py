"""Reminders before a meeting and escalations after it, each with a key under which it is sent once.

A key names the meeting, the notice and the day that it counts from: nothing that a restart or a backup could change.
"""

import datetime
from collections.abc import Collection, Iterable, Iterator
from enum import StrEnum

from msgspec import Struct

from muniment.calendars.meetings import Meeting

REMINDER_DAYS = (21, 7, 1)
ESCALATION_DAYS = (1, 7)


class NoticeKind(StrEnum):
    """Kind of a notice."""

    REMINDER = "reminder"  # days before the meeting, to those who are invited
    ESCALATION = "escalation"  # days after it was to be held, to the person who can act


class Notice(Struct, frozen=True):
    """Mail about a meeting. `day` is the first day on which it is sent, `last_day` the last one."""

    key: str
    meeting: str
    kind: NoticeKind
    days: int
    day: datetime.date
    last_day: datetime.date
    recipients: tuple[str, ...]


def list_notices(meeting: Meeting, escalate_to: tuple[str, str]) -> Iterator[Notice]:
    """List notices of a meeting that was not held. All come after the day on which its date was set.

    Escalations count from the date, and from the due date once the meeting was moved past it. `escalate_to` names who
    can act after a day (its chair), and after a week (its product's owner).
    """
    if meeting.held is not None:
        return
    everyone = tuple(dict.fromkeys(each.person for each in meeting.attendees))
    for days in REMINDER_DAYS:
        yield from _list_notice(meeting, NoticeKind.REMINDER, days, meeting.date, everyone)
    missed = min(meeting.date, meeting.due)
    for days, person in zip(ESCALATION_DAYS, escalate_to, strict=True):
        yield from _list_notice(meeting, NoticeKind.ESCALATION, days, missed, (person,))


def find_notices_to_send(
    notices: Iterable[Notice], today: datetime.date, sent: Collection[str], restored_on: datetime.date | None = None
) -> tuple[Notice, ...]:
    """Find what to send today: of each meeting and kind the newest notice whose day has come, unless it was sent.

    After a stop of several days, a meeting gets one reminder, not each that was missed. After a backup was
    restored, a notice whose day had come by then counts as sent: the lost days may have sent it. A later one follows,
    and pages show what is overdue.
    """
    newest: dict[tuple[str, NoticeKind], Notice] = {}
    for notice in sorted(notices, key=lambda each: each.day):
        if notice.day <= today <= notice.last_day:
            newest[notice.meeting, notice.kind] = notice
    return tuple(each for each in newest.values() if each.key not in sent and not _may_be_sent(each, restored_on))


def _may_be_sent(notice: Notice, restored_on: datetime.date | None) -> bool:
    return restored_on is not None and notice.day <= restored_on


def _list_notice(
    meeting: Meeting, kind: NoticeKind, days: int, counted_from: datetime.date, recipients: tuple[str, ...]
) -> Iterator[Notice]:
    escalates = kind is NoticeKind.ESCALATION
    day = counted_from + datetime.timedelta(days if escalates else -days)
    if day > meeting.dated_on:
        key = f"{meeting.key}/{kind}-{days}/{counted_from}"
        last_day = datetime.date.max if escalates else counted_from
        yield Notice(key, meeting.key, kind, days, day, last_day, recipients)
