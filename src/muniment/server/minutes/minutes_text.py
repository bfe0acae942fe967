"""Text of minutes, as it is frozen at the end of a meeting. People stand in it by their id."""

import datetime

import msgspec
from msgspec import Struct

from muniment.calendars.meetings import MeetingKind
from muniment.facts import canonical
from muniment.ledger import record_objects
from muniment.server.minutes.agendas import RULES, AgendaSection, read_agenda
from muniment.server.minutes.models import Minutes, MinutesEntry
from muniment.server.minutes.taking_part import check_quorum, find_present_people


class FrozenSeat(Struct, frozen=True):
    """Seat of a person. `deputises_for` is "" for the holder of the seat."""

    role: str
    person: str
    deputises_for: str
    is_present: bool


class FrozenItem(Struct, frozen=True):
    """Item of the agenda, done, or deferred with a reason."""

    code: str
    title: str
    state: str
    reason: str


class FrozenEntry(Struct, frozen=True):
    """Entry of the minutes. Days are ISO 8601, "" for none."""

    number: int
    item: str
    kind: str
    text: str
    author: str
    owner: str
    due: str


class FrozenMinutes(Struct, frozen=True):
    """Minutes of a meeting. `excuses` say why it ended without a role of the quorum.

    `outcomes` are the sections of a meeting in which they are filled, such as a retro, as they were at its end.
    """

    meeting: str
    opened_at: str
    closed_at: str
    agenda_digest: str
    seats: tuple[FrozenSeat, ...]
    items: tuple[FrozenItem, ...]
    entries: tuple[FrozenEntry, ...]
    excuses: tuple[str, ...]
    salt: str
    outcomes: tuple[AgendaSection, ...] = ()


def freeze_minutes(minutes: Minutes, now: datetime.datetime) -> tuple[str, str]:
    """Minutes as text, and their digest."""
    meeting = minutes.meeting
    present = find_present_people(meeting)
    frozen = FrozenMinutes(
        meeting=meeting.lasting_key,
        opened_at=minutes.opened_at.isoformat(),
        closed_at=now.isoformat(),
        agenda_digest=minutes.agenda_digest,
        seats=tuple(
            FrozenSeat(each.role, each.person_id, each.deputises_for_id or "", each.person_id in present)
            for each in meeting.attendees.all()
        ),
        items=tuple(FrozenItem(each.code, each.title, each.state, each.reason) for each in minutes.items.all()),
        entries=tuple(_freeze_entry(each) for each in meeting.entries.all()),
        excuses=tuple(each.excuse for each in check_quorum(meeting) if each.excuse),
        salt=record_objects.draw_salt(),
        outcomes=read_agenda(meeting) if RULES[MeetingKind(meeting.kind)].is_made_in_meeting else (),
    )
    return canonical.encode(frozen).decode(), canonical.digest_value(frozen)


def decode_minutes(text: str) -> FrozenMinutes:
    """Minutes as they were frozen. Raises msgspec.ValidationError for a text that is none."""
    return msgspec.json.decode(text, type=FrozenMinutes)


def _freeze_entry(entry: MinutesEntry) -> FrozenEntry:
    return FrozenEntry(
        number=entry.pk,
        item=entry.item,
        kind=entry.kind,
        text=entry.text,
        author=entry.author_id,
        owner=entry.owner_id or "",
        due=entry.due_on.isoformat() if entry.due_on else "",
    )
