"""Reminders and escalations: 21, 7 and 1 days before, 1 and 7 days after, each once."""

import datetime

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from muniment.calendars.meetings import Attendee, Meeting, MeetingKind, move_meeting
from muniment.calendars.notices import Notice, find_notices_to_send, list_notices

DATED = datetime.date(2026, 1, 5)
DATE = datetime.date(2026, 3, 19)
DUE = datetime.date(2026, 3, 27)
TEN = datetime.time(10)
SEATS = (Attendee("chair", "carl"), Attendee("dpo", "dora"), Attendee("analyst", "carl"))
MEETING = Meeting("shop", MeetingKind.REVIEW, 4, DUE, DATE, TEN, SEATS, DATED)
ESCALATE_TO = ("carl", "olga")


def days_after(day: datetime.date, days: int) -> datetime.date:
    return day + datetime.timedelta(days)


def simulate(meeting: Meeting, offsets: list[int], sent: set[str]) -> list[Notice]:
    mails = []
    for offset in offsets:
        for notice in find_notices_to_send(list_notices(meeting, ESCALATE_TO), days_after(DATE, offset), sent):
            mails.append(notice)
            sent.add(notice.key)
    return mails


def test_notices_go_out_on_their_days_to_those_who_can_act() -> None:
    mails = simulate(MEETING, list(range(-40, 20)), set())
    assert [(str(mail.kind), mail.days, (mail.day - DATE).days, mail.recipients) for mail in mails] == [
        ("reminder", 21, -21, ("carl", "dora")),
        ("reminder", 7, -7, ("carl", "dora")),
        ("reminder", 1, -1, ("carl", "dora")),
        ("escalation", 1, 1, ("carl",)),
        ("escalation", 7, 7, ("olga",)),
    ]
    assert not list(list_notices(structs.replace(MEETING, held=DATE), ESCALATE_TO))


def test_after_a_stop_only_the_newest_of_each_kind_is_sent() -> None:
    assert [mail.days for mail in simulate(MEETING, [-3], set())] == [7]
    assert [mail.key for mail in simulate(MEETING, [30], set())] == ["review/shop/4/escalation-7/2026-03-19"]


def test_a_date_that_was_set_lately_has_no_reminders_of_days_before_that() -> None:
    late = structs.replace(MEETING, dated_on=days_after(DATE, -7))
    assert [mail.days for mail in simulate(late, list(range(-7, 1)), set())] == [1]


def test_past_its_due_date_a_moved_meeting_is_escalated_from_there_and_still_reminded_of() -> None:
    moved = move_meeting(MEETING, days_after(DUE, 8), TEN, today=DATE, by="carl", reason="ill")
    mails = simulate(moved, list(range(40)), set())
    assert {(str(mail.kind), mail.days, (mail.day - DUE).days) for mail in mails} == {
        ("escalation", 1, 1),
        ("reminder", 7, 1),
        ("escalation", 7, 7),
        ("reminder", 1, 7),
    }


@given(st.lists(st.integers(-40, 40)), st.integers(0, 40))
def test_none_is_sent_twice_after_restarts_and_a_restored_backup(offsets: list[int], lost_at: int) -> None:
    """The state of day n - 7 comes back on day n: what the lost week sent is not sent again."""
    days = sorted(offsets)
    restored_on = days_after(DATE, lost_at)
    backup_on = days_after(restored_on, -7)
    states: list[tuple[datetime.date, str]] = []
    mails: list[str] = []
    for offset in days:
        today = days_after(DATE, offset)
        is_restored = today > restored_on
        state = {key for day, key in states if not is_restored or not backup_on < day <= restored_on}
        notices = list_notices(MEETING, ESCALATE_TO)
        for notice in find_notices_to_send(notices, today, state, restored_on if is_restored else None):
            mails.append(notice.key)
            states.append((today, notice.key))
    assert len(mails) == len(set(mails))
