"""Plans meetings: on or before the due date, in quiet weeks, on working days of everyone, two a person and day at most.

The same state gives the same plan. A need that has its meeting is never planned again; one that finds no day is
returned with those who have none free, so that a person can act. None is dropped.
"""

import datetime
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from muniment.calendars.meetings import Attendee, Meeting, MeetingKind, MeetingMove, Seat
from muniment.calendars.rhythm import Rhythm, list_due_dates, week_of
from muniment.calendars.working_days import Region, is_working_day
from muniment.errors import RefusedError


class Absence(Struct, frozen=True):
    """Days, the last included, on which a person is away."""

    first: datetime.date
    last: datetime.date


class Participant(Struct, frozen=True):
    """Person who takes part in meetings."""

    region: Region
    absences: tuple[Absence, ...] = ()


class PlanningRules(Struct, frozen=True):
    """Rules of an organisation for its meetings. Times are in its time zone."""

    times: tuple[datetime.time, ...] = (datetime.time(10), datetime.time(14))
    days_before_due: int = 27  # in which a day is looked for first
    days_after_due: int = 28  # in which one is looked for last
    meetings_a_day: int = 2  # of a person


class Programme(Struct, frozen=True):
    """Meetings of one kind that an active product needs, with the seats that must be taken."""

    product: str
    kind: MeetingKind
    rhythm: Rhythm
    seats: tuple[Seat, ...]


class Need(Struct, frozen=True):
    """Meeting that is due and has no date yet."""

    product: str
    kind: MeetingKind
    number: int
    due: datetime.date
    seats: tuple[Seat, ...]


class ConflictReason(StrEnum):
    """Reason why a person cannot take part at a time."""

    UNKNOWN_PERSON = "unknown-person"
    DAY_OFF = "day-off"  # a holiday of the region, or its weekend
    AWAY = "away"
    DAY_FULL = "day-full"  # so many of our meetings on that day already
    SAME_TIME = "same-time"


class MeetingConflict(Struct, frozen=True):
    """Person who cannot take part, and why."""

    person: str
    reason: ConflictReason


class Unplanned(Struct, frozen=True):
    """Need for which no day was found, with the people who had none free, first those who lacked most often."""

    need: Need
    missing: tuple[str, ...]


class Plan(Struct, frozen=True):
    """New meetings, and needs without a day."""

    meetings: tuple[Meeting, ...]
    unplanned: tuple[Unplanned, ...]


class Diary:
    """Times that meetings take of people, and the number of meetings of each week."""

    def __init__(self, meetings: Iterable[Meeting], people: Mapping[str, Participant], rules: PlanningRules) -> None:
        self.rules = rules
        self._people = people
        self._days: Counter[tuple[str, datetime.date]] = Counter()
        self._times: set[tuple[str, datetime.date, datetime.time]] = set()
        self._weeks: Counter[datetime.date] = Counter()
        for meeting in meetings:
            self.add(meeting)

    def add(self, meeting: Meeting) -> None:
        """Add a meeting to the plan."""
        self._weeks[week_of(meeting.date)] += 1
        for person in {each.person for each in meeting.attendees}:
            self._days[person, meeting.date] += 1
            self._times.add((person, meeting.date, meeting.time))

    def count_week(self, day: datetime.date) -> int:
        """Number of meetings in the week of a day."""
        return self._weeks[week_of(day)]

    def find_conflict(self, person: str, day: datetime.date, time: datetime.time) -> ConflictReason | None:
        """Reason why a person cannot take part then, if there is one."""
        participant = self._people.get(person)
        if participant is None:
            return ConflictReason.UNKNOWN_PERSON
        if not is_working_day(participant.region, day):
            return ConflictReason.DAY_OFF
        if any(absence.first <= day <= absence.last for absence in participant.absences):
            return ConflictReason.AWAY
        if self._days[person, day] >= self.rules.meetings_a_day:
            return ConflictReason.DAY_FULL
        return ConflictReason.SAME_TIME if (person, day, time) in self._times else None


def list_needs(programmes: Iterable[Programme], meetings: Iterable[Meeting], until: datetime.date) -> tuple[Need, ...]:
    """List needs up to a day that have no meeting yet, by due date. Meetings that were cancelled count as meetings."""
    by_programme: dict[tuple[str, MeetingKind], dict[int, Meeting]] = {}
    for meeting in meetings:
        by_programme.setdefault((meeting.product, meeting.kind), {})[meeting.number] = meeting
    needs = []
    for programme in programmes:
        existing = by_programme.get((programme.product, programme.kind), {})
        held = {number: meeting.held for number, meeting in existing.items() if meeting.held is not None}
        needs += [
            Need(programme.product, programme.kind, due.number, due.date, programme.seats)
            for due in list_due_dates(programme.rhythm, until, held)
            if due.number not in existing
        ]
    return tuple(sorted(needs, key=lambda need: (need.due, need.product, need.kind)))


def find_next_number(meetings: Iterable[Meeting], product: str, kind: MeetingKind) -> int:
    """Number with which a rhythm starts, for a product that is new or active again."""
    numbers = (meeting.number for meeting in meetings if (meeting.product, meeting.kind) == (product, kind))
    return max(numbers, default=0) + 1


def find_meetings_to_cancel(
    meetings: Iterable[Meeting], inactive: frozenset[str], today: datetime.date
) -> tuple[Meeting, ...]:
    """Find coming meetings of products that are no longer active. An overdue one stays until it is held."""
    return tuple(each for each in meetings if each.product in inactive and each.held is None and each.date >= today)


def plan_meetings(
    needs: Sequence[Need],
    meetings: Iterable[Meeting],
    people: Mapping[str, Participant],
    today: datetime.date,
    rules: PlanningRules | None = None,
) -> Plan:
    """Plan needs in their order, around the meetings that have a date. None is set on today or earlier."""
    this_week = week_of(today)
    diary = Diary((each for each in meetings if each.date >= this_week), people, rules or PlanningRules())
    planned, unplanned = [], []
    for need in needs:
        missing: Counter[str] = Counter()
        meeting = _plan_one(need, diary, today, missing)
        if meeting:
            diary.add(meeting)
            planned.append(meeting)
        else:
            unplanned.append(Unplanned(need, tuple(person for person, _ in missing.most_common())))
    return Plan(tuple(planned), tuple(unplanned))


def find_conflicts(
    meeting: Meeting,
    day: datetime.date,
    time: datetime.time,
    others: Iterable[Meeting],
    people: Mapping[str, Participant],
    rules: PlanningRules | None = None,
) -> tuple[MeetingConflict, ...]:
    """Find who of a meeting cannot take part at another time."""
    diary = Diary((each for each in others if each.key != meeting.key), people, rules or PlanningRules())
    persons = dict.fromkeys(each.person for each in meeting.attendees)
    found = ((person, diary.find_conflict(person, day, time)) for person in persons)
    return tuple(MeetingConflict(person, reason) for person, reason in found if reason)


def refuse_conflicts(conflicts: Sequence[MeetingConflict]) -> None:
    """Raise RefusedError if somebody cannot take part."""
    if conflicts:
        names = ", ".join(f"{conflict.person} ({conflict.reason})" for conflict in conflicts)
        raise RefusedError("conflict", f"Not everybody can take part: {names}.", "Choose another time, or a deputy.")


def _plan_one(need: Need, diary: Diary, today: datetime.date, missing: Counter[str]) -> Meeting | None:
    """Set the date of one need: up to the due date, then earlier, then later with a reason that is shown."""
    earliest = today + datetime.timedelta(1)
    window = max(earliest, need.due - datetime.timedelta(diary.rules.days_before_due))
    usual = sorted(_list_days(window, need.due), key=lambda day: (diary.count_week(day), need.due - day))
    sooner = list(_list_days(earliest, window - datetime.timedelta(1)))[::-1]
    after_due = max(earliest, need.due + datetime.timedelta(1))
    later = list(_list_days(after_due, need.due + datetime.timedelta(diary.rules.days_after_due)))
    if not later:  # long overdue: the first day from now on
        later = list(_list_days(earliest, today + datetime.timedelta(diary.rules.days_after_due)))
    for days, with_deputies in ((usual, False), (usual, True), (sooner, True), (later, True)):
        for day in days:
            for time in diary.rules.times:
                attendees = _seat_everyone(need.seats, diary, day, time, missing, with_deputies=with_deputies)
                if attendees is not None:
                    return _make_meeting(need, day, time, attendees, today)
    return None


def _make_meeting(
    need: Need, day: datetime.date, time: datetime.time, attendees: tuple[Attendee, ...], today: datetime.date
) -> Meeting:
    late = (MeetingMove(need.due, day, today, "", "No day up to the due date was free."),) if day > need.due else ()
    return Meeting(need.product, need.kind, need.number, need.due, day, time, attendees, today, late)


def _seat_everyone(
    seats: tuple[Seat, ...],
    diary: Diary,
    day: datetime.date,
    time: datetime.time,
    missing: Counter[str],
    *,
    with_deputies: bool,
) -> tuple[Attendee, ...] | None:
    attendees: list[Attendee] = []
    persons = {seat.person for seat in seats}  # a deputy has no second seat
    for seat in seats:
        person = seat.person
        if diary.find_conflict(person, day, time):
            missing[person] += 1
            deputies = (each for each in seat.deputies if with_deputies and each not in persons)
            free = next((each for each in deputies if not diary.find_conflict(each, day, time)), None)
            if free is None:
                return None
            person = free
            persons.add(free)
        attendees.append(Attendee(seat.role, person, seat.person if person != seat.person else ""))
    return tuple(attendees)


def _list_days(first: datetime.date, last: datetime.date) -> Iterator[datetime.date]:
    for away in range((last - first).days + 1):
        yield first + datetime.timedelta(away)
