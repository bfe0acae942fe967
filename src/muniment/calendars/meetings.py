"""Meetings as frozen values. A meeting is moved, never skipped; past its due date only with a reason."""

import datetime
from enum import StrEnum

from msgspec import Struct, structs

from muniment.errors import RefusedError


class MeetingKind(StrEnum):
    """Kind of a quarterly meeting."""

    REVIEW = "review"
    RETRO = "retro"


class Seat(Struct, frozen=True):
    """Role that a meeting needs, the person who has it, and the deputies, in the order in which they are asked."""

    role: str
    person: str
    deputies: tuple[str, ...] = ()


class Attendee(Struct, frozen=True):
    """Person who is invited for a role. `deputises_for` is the person of the seat, or ""."""

    role: str
    person: str
    deputises_for: str = ""


class MeetingMove(Struct, frozen=True):
    """Change of a meeting's date: when it was made, by whom, and why. Past the due date the reason is shown."""

    before: datetime.date
    after: datetime.date
    on: datetime.date
    by: str
    reason: str = ""


class Meeting(Struct, frozen=True):
    """Meeting of one product. Its key names it for ever, so plans made twice, or from an old backup, name it alike."""

    product: str
    kind: MeetingKind
    number: int
    due: datetime.date
    date: datetime.date
    time: datetime.time  # in the organisation's time zone
    attendees: tuple[Attendee, ...]
    dated_on: datetime.date  # when this date was set
    moves: tuple[MeetingMove, ...] = ()
    held: datetime.date | None = None

    @property
    def key(self) -> str:
        """Name that no other meeting has."""
        return f"{self.kind}/{self.product}/{self.number}"

    @property
    def is_past_due(self) -> bool:
        """Whether its date lies after its due date."""
        return self.date > self.due

    def find_person(self, role: str) -> str:
        """Person who is invited for a role, or ""."""
        return next((each.person for each in self.attendees if each.role == role), "")


def move_meeting(
    meeting: Meeting, to: datetime.date, time: datetime.time, *, today: datetime.date, by: str, reason: str = ""
) -> Meeting:
    """Move a meeting. Raises RefusedError if it was held, if the day is past, or past the due date without a reason.

    Whether its people are free on that day is for `planning.find_conflicts`.
    """
    if meeting.held is not None:
        raise RefusedError(
            "held", f"The meeting was held on {meeting.held}.", "Choose a meeting that was not held yet."
        )
    if to < today:
        raise RefusedError("past-day", f"{to} is past.", "Choose today or a later day.")
    if to > meeting.due and not reason.strip():
        raise RefusedError(
            "no-reason",
            f"The meeting is due on {meeting.due}; {to} is later.",
            "Choose a day up to the due date, or give the reason. Participants see it.",
        )
    move = MeetingMove(meeting.date, to, today, by, reason.strip())
    return structs.replace(meeting, date=to, time=time, dated_on=today, moves=(*meeting.moves, move))


def replace_attendee(meeting: Meeting, role: str, person: str) -> Meeting:
    """Give the seat of a role to a deputy, or back. Raises RefusedError if the meeting has no such role."""
    if not meeting.find_person(role):
        raise RefusedError("no-such-role", f"The meeting has no {role}.", "Choose a role of the meeting.")
    replaced = tuple(_reseat(each, person) if each.role == role else each for each in meeting.attendees)
    return structs.replace(meeting, attendees=replaced)


def _reseat(attendee: Attendee, person: str) -> Attendee:
    seat = attendee.deputises_for or attendee.person
    return Attendee(attendee.role, person, "" if person == seat else seat)
