"""Invitations as iCalendar (RFC 5545, RFC 5546): one event and one UID a meeting, no recurrence, REQUEST and CANCEL.

A SEQUENCE is the minute of its change, so it rises even after a backup was restored. Texts of people lose control
characters before they are written, so none can begin a line of its own.
"""

import datetime
import functools
import hashlib
from collections.abc import Iterable
from email.message import EmailMessage
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import icalendar
from msgspec import Struct

from muniment.errors import ParseError

_PRODUCT = "-//Muniment//Reviews and retros//EN"
_SEQUENCE_START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


class InvitationMethod(StrEnum):
    """Method of a calendar part."""

    REQUEST = "REQUEST"
    CANCEL = "CANCEL"


class Mailbox(Struct, frozen=True):
    """Mailbox that sends, and whether replies to it are read."""

    address: str
    name: str
    reads_replies: bool


class Invitee(Struct, frozen=True):
    """Person who is invited, by name and mail address."""

    name: str
    address: str


class Invitation(Struct, frozen=True):
    """Meeting as a calendar shows it. `start` is local time in the zone, an IANA name; `changed` is in UTC."""

    meeting: str  # its key
    title: str
    start: datetime.datetime
    zone: str
    minutes: int
    place: str  # a room, or the address of a call
    link: str
    organizer: Mailbox
    invitees: tuple[Invitee, ...]
    changed: datetime.datetime
    sequence: int


class FeedEntry(Struct, frozen=True):
    """Meeting in a person's feed: title, time and link alone."""

    meeting: str
    title: str
    start: datetime.datetime
    zone: str
    minutes: int
    link: str
    changed: datetime.datetime


def make_uid(meeting: str, host: str) -> str:
    """UID of a meeting: the same for ever, and without its product's name."""
    return f"{hashlib.sha256(meeting.encode()).hexdigest()[:32]}@{host}"


def next_sequence(changed: datetime.datetime, previous: int) -> int:
    """SEQUENCE of a change: its minute since 2026, and more than the previous one (-1 for the first)."""
    return max(previous + 1, int((changed - _SEQUENCE_START).total_seconds() // 60))


def find_local_time(start: datetime.datetime, zone: str) -> datetime.datetime:
    """Attach a zone. Raises ParseError for an unknown zone, or a time that daylight saving leaves out."""
    try:
        local = start.replace(tzinfo=ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder, or a name that is too long
        raise ParseError("zone", f"{zone!r} is no time zone", "Write an IANA name, such as Europe/Amsterdam.") from None
    if local.astimezone(datetime.UTC).astimezone(local.tzinfo).replace(tzinfo=None) != start:
        raise ParseError("time", f"{start} does not exist in {zone}: clocks skip it", "Choose another time.")
    return local


def format_invitation(invitation: Invitation, method: InvitationMethod, host: str) -> str:
    """Format an invitation or its cancellation. Raises ParseError for a wrong zone or time."""
    event = _make_event(invitation, host)
    event.add("sequence", invitation.sequence)
    event.add("status", "CONFIRMED" if method is InvitationMethod.REQUEST else "CANCELLED")
    event.add("location", clean_text(invitation.place))
    event.add("description", clean_text(invitation.link))
    event["organizer"] = _make_address(invitation.organizer.name, invitation.organizer.address)
    for invitee in invitation.invitees:
        attendee = _make_address(invitee.name, invitee.address)
        attendee.params |= {
            "CUTYPE": "INDIVIDUAL",
            "ROLE": "REQ-PARTICIPANT",
            "PARTSTAT": "NEEDS-ACTION",
            "RSVP": "TRUE" if invitation.organizer.reads_replies else "FALSE",
        }
        event.add("attendee", attendee, encode=False)
    return _format_calendar(method, [event], {(invitation.zone, invitation.start.year)})


def make_calendar_part(text: str, method: InvitationMethod) -> EmailMessage:
    """Make the part `text/calendar` of a mail, to stand as an alternative to its text and HTML."""
    part = EmailMessage()
    part.set_content(text, subtype="calendar", cte="base64", params={"method": method.value})
    del part["MIME-Version"]  # the whole mail has it
    return part


def format_feed(entries: Iterable[FeedEntry], host: str) -> str:
    """Format the feed of one person. Raises ParseError for a wrong zone or time."""
    listed = tuple(entries)
    events = [_make_event(entry, host) for entry in listed]
    return _format_calendar("PUBLISH", events, {(entry.zone, entry.start.year) for entry in listed})


def clean_text(text: str) -> str:
    """Replace control characters and runs of spaces by one space."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def _make_event(entry: Invitation | FeedEntry, host: str) -> icalendar.Event:
    start = find_local_time(entry.start, entry.zone)
    event = icalendar.Event()
    event.add("uid", make_uid(entry.meeting, host))
    event.add("dtstamp", entry.changed)
    event.add("summary", clean_text(entry.title))
    event.add("dtstart", start)
    event.add("dtend", start + datetime.timedelta(minutes=entry.minutes))
    event.add("url", clean_text(entry.link))
    return event


def _format_calendar(method: str, events: list[icalendar.Event], zones: set[tuple[str, int]]) -> str:
    calendar = icalendar.Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", method)
    years: dict[str, list[int]] = {}
    for zone, year in sorted(zones):
        years.setdefault(zone, []).append(year)
    for zone, of_zone in years.items():
        calendar.add_component(_make_zone(zone, of_zone[0], of_zone[-1]))
    for event in events:
        calendar.add_component(event)
    data: bytes = calendar.to_ical()
    return data.decode()


@functools.lru_cache(maxsize=256)
def _make_zone(zone: str, first: int, last: int) -> icalendar.Timezone:
    """Offsets of a zone over years, with one more at both ends."""
    return icalendar.Timezone.from_tzid(
        zone, first_date=datetime.date(first - 1, 1, 1), last_date=datetime.date(last + 2, 1, 1)
    )


def _make_address(name: str, address: str) -> icalendar.vCalAddress:
    made = icalendar.vCalAddress(f"mailto:{clean_text(address)}")
    # Some readers take a backslash in a parameter for an escape, though RFC 5545 knows none there.
    made.params["CN"] = clean_text(name).replace('"', "'").replace("\\", "/")
    return made
