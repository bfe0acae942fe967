"""Three years of quarters for 200 products with a moved clock: none missed, doubled, or on a holiday."""

import datetime
from collections import Counter

import pytest
from msgspec import structs

from muniment.calendars.meetings import Meeting, MeetingKind, Seat
from muniment.calendars.notices import find_notices_to_send, list_notices
from muniment.calendars.planning import (
    Participant,
    Programme,
    find_meetings_to_cancel,
    find_next_number,
    list_needs,
    plan_meetings,
)
from muniment.calendars.rhythm import Rhythm, add_load, add_months, list_due_dates, start_rhythm, week_of
from muniment.calendars.working_days import is_working_day, parse_region

START = datetime.date(2027, 11, 15)  # so that 29 February 2028 and three ends of a year lie within
END = add_months(START, 36)
DAY = datetime.timedelta(1)
HORIZON = datetime.timedelta(100)
REGIONS = [parse_region(code) for code in ("NL", "NL", "BE", "DE-BY", "US-CA")]
PEOPLE = {f"{role}{at}": Participant(REGIONS[at % 5]) for role in ("lead", "dpo", "analyst") for at in range(20)}


class Organisation:
    """State of an installation, and events of the world that no backup undoes."""

    def __init__(self, products: int) -> None:
        self.load: dict[datetime.date, int] = {}
        self.programmes: dict[tuple[str, MeetingKind], Programme] = {}
        self.meetings: dict[str, Meeting] = {}
        self.sent: set[str] = set()
        self.restored_on: datetime.date | None = None
        self.held_in_world: Counter[str] = Counter()
        self.mailed_in_world: Counter[str] = Counter()
        for number in range(products):
            self.activate(f"p{number}", START, number)

    def activate(self, product: str, since: datetime.date, number: int) -> None:
        for kind in MeetingKind:
            at = number % 20
            seats = tuple(Seat(role, f"{role}{at}", (f"{role}{(at + 7) % 20}",)) for role in ("lead", "dpo", "analyst"))
            first = find_next_number(self.meetings.values(), product, kind)
            rhythm = start_rhythm(since, 3, self.load, first_number=first)
            add_load(self.load, rhythm, since)
            self.programmes[product, kind] = Programme(product, kind, rhythm, seats)

    def retire(self, product: str, today: datetime.date) -> None:
        for kind in MeetingKind:
            del self.programmes[product, kind]
        for meeting in find_meetings_to_cancel(self.meetings.values(), frozenset({product}), today):
            self.meetings[meeting.key] = structs.replace(meeting, date=datetime.date.max, held=today)  # for good

    def live(self, today: datetime.date) -> None:
        for key, meeting in self.meetings.items():
            if meeting.date <= today and meeting.held is None:
                if self.held_in_world[key]:  # before the backup was restored: its record is in the ledger
                    assert self.restored_on
                else:
                    assert all(is_working_day(PEOPLE[each.person].region, meeting.date) for each in meeting.attendees)
                    self.held_in_world[key] += 1
                self.meetings[key] = structs.replace(meeting, held=meeting.date)
        needs = list_needs(self.programmes.values(), self.meetings.values(), today + HORIZON)
        plan = plan_meetings(needs, self.meetings.values(), PEOPLE, today)
        assert not plan.unplanned
        self.meetings |= {meeting.key: meeting for meeting in plan.meetings}

    def send_mails(self, today: datetime.date) -> None:
        notices = [each for meeting in self.meetings.values() for each in list_notices(meeting, ("lead0", "lead1"))]
        for notice in find_notices_to_send(notices, today, self.sent, self.restored_on):
            self.sent.add(notice.key)
            self.mailed_in_world[notice.key] += 1

    def check_dues(self, rhythm: Rhythm, product: str, kind: MeetingKind, until: datetime.date) -> int:
        """Every due date up to a day has its one meeting, held on or before it."""
        dues = list(list_due_dates(rhythm, until, {}))
        for due in dues:
            meeting = self.meetings[f"{kind}/{product}/{due.number}"]
            assert meeting.held is not None
            assert meeting.held <= due.date == meeting.due
            assert self.held_in_world[meeting.key] == 1
        return len(dues)


@pytest.mark.slow
def test_200_products_miss_and_double_nothing() -> None:
    """The clock jumps by a week: the service is down in between."""
    organisation = Organisation(200)
    today = START
    while today < END:
        organisation.live(today)
        today += 7 * DAY
    organisation.live(END)
    for (product, kind), programme in organisation.programmes.items():
        assert organisation.check_dues(programme.rhythm, product, kind, END) in (12, 13)
    assert set(organisation.held_in_world.values()) == {1}
    weeks = Counter(week_of(meeting.date) for meeting in organisation.meetings.values() if meeting.held)
    settled = [weeks[week_of(START) + 7 * DAY * at] for at in range(18, 154)]
    assert max(settled) <= 1.5 * sum(settled) / len(settled)
    persons = Counter(
        (each.person, meeting.date) for meeting in organisation.meetings.values() for each in meeting.attendees
    )
    assert max(persons.values()) <= 2
    assert {meeting.date.month for meeting in organisation.meetings.values()} == set(range(1, 13))


def test_a_restored_backup_doubles_no_meeting_and_no_mail() -> None:
    organisation = Organisation(10)
    today, backup = START, (START, dict(organisation.meetings), set(organisation.sent))
    while today < START + 400 * DAY:
        organisation.live(today)
        organisation.send_mails(today)
        if (today - START).days % 50 == 0:
            backup = (today, dict(organisation.meetings), set(organisation.sent))
        elif (today - START).days % 50 == 7:
            _, organisation.meetings, organisation.sent = backup[0], dict(backup[1]), set(backup[2])
            organisation.restored_on = today
        today += DAY
    assert set(organisation.held_in_world.values()) == {1}
    assert set(organisation.mailed_in_world.values()) == {1}
    for (product, kind), programme in organisation.programmes.items():
        assert organisation.check_dues(programme.rhythm, product, kind, today - DAY) >= 4
    assert len(organisation.mailed_in_world) > 2 * len(organisation.held_in_world)


def test_a_product_that_is_retired_and_revived_has_new_meetings_within_30_days() -> None:
    organisation = Organisation(3)
    organisation.live(START)
    retired_on, revived_on = add_months(START, 5), add_months(START, 11)
    today = START
    while today <= END:
        if today == retired_on:
            organisation.retire("p1", today)
        if today == revived_on:
            organisation.activate("p1", today, 1)
        organisation.live(today)
        today += DAY
    meetings = [
        each
        for each in organisation.meetings.values()
        if each.product == "p1" and each.key in organisation.held_in_world
    ]
    assert not [each for each in meetings if retired_on <= each.date < revived_on]
    for kind in MeetingKind:
        days = sorted(each.date for each in meetings if each.kind is kind and each.date >= revived_on)
        assert days[0] <= revived_on + 30 * DAY
        rhythm = organisation.programmes["p1", kind].rhythm
        assert organisation.check_dues(rhythm, "p1", kind, END) == len(days)
        numbers = [each.number for each in meetings if each.kind is kind]
        assert len(numbers) == len(set(numbers))
