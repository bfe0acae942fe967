"""Meetings are moved, never skipped; deputies take seats and give them back."""

import datetime

import pytest
from msgspec import structs

from muniment.calendars.meetings import Attendee, Meeting, MeetingKind, MeetingMove, move_meeting, replace_attendee
from muniment.errors import RefusedError

TODAY = datetime.date(2026, 3, 2)
DUE = datetime.date(2026, 3, 27)
TEN = datetime.time(10)
MEETING = Meeting(
    "shop", MeetingKind.REVIEW, 4, DUE, datetime.date(2026, 3, 19), TEN, (Attendee("dpo", "dora"),), TODAY
)


def test_a_move_keeps_key_and_due_date_and_is_listed() -> None:
    moved = move_meeting(MEETING, DUE, datetime.time(14), today=TODAY, by="carl")
    assert (moved.key, moved.due, moved.date, moved.is_past_due) == ("review/shop/4", DUE, DUE, False)
    assert moved.moves == (MeetingMove(MEETING.date, DUE, TODAY, "carl"),)


def test_a_move_past_the_due_date_needs_a_reason_and_shows_it() -> None:
    late = DUE + datetime.timedelta(1)
    with pytest.raises(RefusedError) as refused:
        move_meeting(MEETING, late, TEN, today=TODAY, by="carl", reason=" ")
    assert refused.value.code == "no-reason"
    moved = move_meeting(MEETING, late, TEN, today=TODAY, by="carl", reason=" The auditor is here. ")
    assert moved.is_past_due
    assert moved.moves[0].reason == "The auditor is here."


def test_a_meeting_is_not_moved_into_the_past_or_after_it_was_held() -> None:
    with pytest.raises(RefusedError) as refused:
        move_meeting(MEETING, TODAY - datetime.timedelta(1), TEN, today=TODAY, by="carl")
    assert refused.value.code == "past-day"
    with pytest.raises(RefusedError) as refused:
        move_meeting(structs.replace(MEETING, held=TODAY), DUE, TEN, today=TODAY, by="carl")
    assert refused.value.code == "held"


def test_a_deputy_takes_a_seat_and_gives_it_back() -> None:
    deputised = replace_attendee(MEETING, "dpo", "dirk")
    assert deputised.attendees == (Attendee("dpo", "dirk", "dora"),)
    assert replace_attendee(deputised, "dpo", "dora") == MEETING
    with pytest.raises(RefusedError) as refused:
        replace_attendee(MEETING, "analyst", "ann")
    assert refused.value.code == "no-such-role"
