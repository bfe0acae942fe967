"""Invitations and feeds, read by `icalendar` and by `ical`, which share no parser."""

import datetime
from email import message_from_bytes
from email.message import EmailMessage
from typing import Any

import icalendar
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ical.calendar_stream import IcsCalendarStream
from msgspec import structs

from muniment.calendars.invitations import (
    FeedEntry,
    Invitation,
    InvitationMethod,
    Invitee,
    Mailbox,
    find_local_time,
    format_feed,
    format_invitation,
    make_calendar_part,
    make_uid,
    next_sequence,
)
from muniment.errors import ParseError

HOST = "muniment.example.test"
CHANGED = datetime.datetime(2026, 2, 1, 9, 30, tzinfo=datetime.UTC)
MAILBOX = Mailbox("reviews@example.test", "Reviews", True)
INVITATION = Invitation(
    "review/shop/4",
    "Security review: Shop",
    datetime.datetime.fromisoformat("2026-03-27T10:00"),
    "Europe/Amsterdam",
    60,
    "Room 4",
    "https://muniment.example.test/reviews/4",
    MAILBOX,
    (Invitee("Dora Ñ, DPO", "dora@example.test"), Invitee("Carl", "carl@example.test")),
    CHANGED,
    44_190,
)


def read_event(text: str) -> tuple[icalendar.Calendar, Any, Any]:
    """Read the one event with both parsers."""
    calendar = icalendar.Calendar.from_ical(text)
    assert isinstance(calendar, icalendar.Calendar)
    (event,) = calendar.walk("VEVENT")
    (other,) = IcsCalendarStream.calendar_from_ics(text).events
    return calendar, event, other


@pytest.mark.parametrize("method", InvitationMethod)
def test_both_parsers_read_one_event_without_recurrence(method: InvitationMethod) -> None:
    calendar, event, other = read_event(format_invitation(INVITATION, method, HOST))
    assert calendar["method"] == method
    assert event["uid"] == other.uid == make_uid("review/shop/4", HOST)
    assert event["sequence"] == other.sequence == 44_190
    assert "rrule" not in event
    assert event.start == other.dtstart == find_local_time(INVITATION.start, INVITATION.zone)
    assert event["dtstart"].params["TZID"] == "Europe/Amsterdam"
    assert event.end - event.start == datetime.timedelta(hours=1)
    assert event["organizer"] == "mailto:reviews@example.test"
    assert [each.params["RSVP"] for each in event["attendee"]] == ["TRUE", "TRUE"]
    assert [str(each.uri) for each in other.attendees] == ["mailto:dora@example.test", "mailto:carl@example.test"]
    assert event["status"] == ("CONFIRMED" if method is InvitationMethod.REQUEST else "CANCELLED")
    assert [str(zone["tzid"]) for zone in calendar.walk("VTIMEZONE")] == ["Europe/Amsterdam"]
    assert len(format_invitation(INVITATION, method, HOST)) < 4_000


def test_a_mailbox_that_nobody_reads_asks_for_no_reply() -> None:
    silent = structs.replace(INVITATION, organizer=structs.replace(MAILBOX, reads_replies=False))
    _, event, _ = read_event(format_invitation(silent, InvitationMethod.REQUEST, HOST))
    assert [each.params["RSVP"] for each in event["attendee"]] == ["FALSE", "FALSE"]
    assert event["url"] == event["description"] == INVITATION.link


@pytest.mark.parametrize("day", ["2026-03-28", "2026-03-30", "2026-10-24", "2026-10-26", "2028-02-29", "2026-12-31"])
def test_local_time_stays_across_daylight_saving_leap_day_and_years_end(day: str) -> None:
    start = datetime.datetime.fromisoformat(f"{day}T10:00")
    _, event, other = read_event(
        format_invitation(structs.replace(INVITATION, start=start), InvitationMethod.REQUEST, HOST)
    )
    expected = find_local_time(start, "Europe/Amsterdam").astimezone(datetime.UTC)
    assert event.start.astimezone(datetime.UTC) == other.dtstart.astimezone(datetime.UTC) == expected


@pytest.mark.parametrize(
    ("start", "zone", "code"),
    [
        ("2026-03-29T02:30", "Europe/Amsterdam", "time"),
        ("2026-03-29T02:30", "Mars/Olympus", "zone"),
        ("2026-03-29T02:30", "../etc", "zone"),
        ("2026-03-29T02:30", "Europe", "zone"),
        ("2026-03-29T02:30", "E" * 5_000, "zone"),
    ],
)
def test_a_time_that_clocks_skip_and_an_unknown_zone_are_refused(start: str, zone: str, code: str) -> None:
    with pytest.raises(ParseError) as refused:
        find_local_time(datetime.datetime.fromisoformat(start), zone)
    assert refused.value.code == code


@given(st.lists(st.integers(0, 100_000), min_size=1), st.integers(0, 10))
def test_sequences_rise_even_from_a_state_that_was_restored(seconds: list[int], lost: int) -> None:
    sequences = [-1]
    at = CHANGED
    for gap in seconds:
        at += datetime.timedelta(seconds=gap)
        sequences.append(next_sequence(at, sequences[-1]))
    assert sequences == sorted(set(sequences))
    week_old = sequences[max(0, len(sequences) - 1 - lost)]
    if lost <= 10 and week_old >= 0:
        assert next_sequence(at + datetime.timedelta(days=7), week_old) > sequences[-1]


def test_mail_has_text_html_and_calendar_parts() -> None:
    mail = EmailMessage()
    mail.set_content("text")
    mail.add_alternative("<p>html</p>", subtype="html")
    text = format_invitation(INVITATION, InvitationMethod.REQUEST, HOST)
    mail.attach(make_calendar_part(text, InvitationMethod.REQUEST))
    parts = message_from_bytes(mail.as_bytes()).get_payload()
    assert isinstance(parts, list)
    part: Any = parts[2]
    assert part.get_content_type() == "text/calendar"
    assert part.get_param("method") == "REQUEST"
    assert part.get_content_charset() == "utf-8"
    assert part.get_payload(decode=True).decode().replace("\r\n", "\n") == text.replace("\r\n", "\n")


def test_a_feed_holds_title_time_and_link_alone() -> None:
    entry = FeedEntry(
        "review/shop/4", INVITATION.title, INVITATION.start, INVITATION.zone, 60, INVITATION.link, CHANGED
    )
    later = structs.replace(entry, meeting="retro/shop/4", start=datetime.datetime.fromisoformat("2027-01-04T14:00"))
    text = format_feed([entry, later], HOST)
    calendar = icalendar.Calendar.from_ical(text)
    assert isinstance(calendar, icalendar.Calendar)
    assert {key for event in calendar.walk("VEVENT") for key in event} == {
        "UID",
        "DTSTAMP",
        "SUMMARY",
        "DTSTART",
        "DTEND",
        "URL",
    }
    assert len(IcsCalendarStream.calendar_from_ics(text).events) == 2
    assert len(calendar.walk("VTIMEZONE")) == 1
    assert "BEGIN:VEVENT" not in format_feed([], HOST)


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=200), st.text(max_size=40))
@example("", "\\")
def test_no_text_of_a_person_begins_a_line_or_a_parameter(title: str, name: str) -> None:
    hostile = structs.replace(INVITATION, title=title, invitees=(Invitee(name, "dora@example.test"),))
    calendar, event, _ = read_event(format_invitation(hostile, InvitationMethod.REQUEST, HOST))
    assert len(calendar.subcomponents) == 2
    assert set(event["attendee"].params) == {"CN", "CUTYPE", "ROLE", "PARTSTAT", "RSVP"} or name == ""
    assert event["attendee"] == "mailto:dora@example.test"
