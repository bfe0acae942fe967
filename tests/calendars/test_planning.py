"""Plans: on working days of everyone, up to the due date, two meetings a person and day at most."""

import datetime
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from muniment.calendars.meetings import Attendee, Meeting, MeetingKind, Seat
from muniment.calendars.planning import (
    Absence,
    ConflictReason,
    Diary,
    MeetingConflict,
    Need,
    Participant,
    PlanningRules,
    Programme,
    find_conflicts,
    find_meetings_to_cancel,
    find_next_number,
    list_needs,
    plan_meetings,
    refuse_conflicts,
)
from muniment.calendars.rhythm import Counting, Rhythm, week_of
from muniment.calendars.working_days import Region, is_working_day, parse_region
from muniment.errors import RefusedError

TODAY = datetime.date(2026, 3, 2)
DUE = datetime.date(2026, 3, 27)
TEN, TWO = datetime.time(10), datetime.time(14)
NL, BY = parse_region("NL"), parse_region("DE-BY")
PEOPLE = {name: Participant(NL) for name in ("carl", "dora", "dirk", "ann")}
SEATS = (Seat("chair", "carl"), Seat("dpo", "dora", ("carl", "dirk")))
NEED = Need("shop", MeetingKind.REVIEW, 1, DUE, SEATS)


def away(first: datetime.date, last: datetime.date) -> Participant:
    return Participant(NL, (Absence(first, last),))


def plan_one(people: dict[str, Participant], need: Need = NEED, today: datetime.date = TODAY) -> Meeting:
    plan = plan_meetings([need], [], people, today)
    assert not plan.unplanned
    return plan.meetings[0]


def test_without_other_meetings_the_due_date_itself_is_chosen() -> None:
    assert plan_one(PEOPLE) == Meeting(
        "shop", MeetingKind.REVIEW, 1, DUE, DUE, TEN, (Attendee("chair", "carl"), Attendee("dpo", "dora")), TODAY
    )


def test_a_day_of_all_is_preferred_to_a_deputy_and_a_deputy_to_being_late() -> None:
    one_day = {**PEOPLE, "dora": away(DUE, DUE)}
    assert plan_one(one_day).date == DUE - datetime.timedelta(1)
    whole = {**PEOPLE, "dora": away(TODAY, DUE)}
    assert plan_one(whole).attendees == (Attendee("chair", "carl"), Attendee("dpo", "dirk", "dora"))


def test_a_chair_who_is_away_meets_earlier_or_else_later_with_a_reason() -> None:
    february = datetime.date(2026, 2, 2)
    window = {**PEOPLE, "carl": away(DUE - datetime.timedelta(27), DUE)}
    assert plan_one(window, today=february).date == DUE - datetime.timedelta(28)
    late = plan_one({**PEOPLE, "carl": away(TODAY, DUE)})
    assert late.date == DUE + datetime.timedelta(3)
    assert [move.reason for move in late.moves] == ["No day up to the due date was free."]


def test_a_need_that_is_long_overdue_gets_the_next_day() -> None:
    assert plan_one(PEOPLE, today=datetime.date(2027, 3, 1)).date == datetime.date(2027, 3, 2)


def test_a_need_without_any_day_is_returned_with_who_is_missing() -> None:
    people = {"carl": PEOPLE["carl"]}
    plan = plan_meetings([NEED], [], people, TODAY)
    assert not plan.meetings
    assert [(each.need, each.missing) for each in plan.unplanned] == [(NEED, ("dora", "carl"))]  # carl on weekends


def test_a_meeting_that_exists_is_not_planned_again_even_if_cancelled_or_moved() -> None:
    programme = Programme("shop", MeetingKind.REVIEW, Rhythm(DUE, DUE + datetime.timedelta(60), 3), SEATS)
    needs = list_needs([programme], [], DUE + datetime.timedelta(60))
    plan = plan_meetings(needs, [], PEOPLE, TODAY)
    assert [meeting.number for meeting in plan.meetings] == [1, 2]
    moved = structs.replace(plan.meetings[0], date=DUE + datetime.timedelta(5))
    assert list_needs([programme], [moved], DUE + datetime.timedelta(60)) == needs[1:]
    assert find_next_number(plan.meetings, "shop", MeetingKind.REVIEW) == 3
    assert find_next_number(plan.meetings, "shop", MeetingKind.RETRO) == 1


def test_counted_from_the_last_one_the_next_need_follows_the_day_held() -> None:
    rhythm = Rhythm(DUE, DUE, 3, Counting.FROM_LAST)
    programme = Programme("shop", MeetingKind.REVIEW, rhythm, SEATS)
    held = structs.replace(plan_one(PEOPLE), held=datetime.date(2026, 4, 10))
    (need,) = list_needs([programme], [held], datetime.date(2026, 12, 31))
    assert (need.number, need.due) == (2, datetime.date(2026, 7, 10))


def test_coming_meetings_of_retired_products_are_cancelled() -> None:
    meeting = plan_one(PEOPLE)
    held = structs.replace(meeting, held=DUE)
    overdue = structs.replace(meeting, date=TODAY - datetime.timedelta(1))
    assert find_meetings_to_cancel([meeting, held, overdue], frozenset({"shop"}), TODAY) == (meeting,)
    assert not find_meetings_to_cancel([meeting], frozenset(), TODAY)


@pytest.mark.parametrize(
    ("person", "day", "time", "reason"),
    [
        ("carl", DUE, TEN, ConflictReason.SAME_TIME),
        ("carl", DUE, TWO, None),
        ("dora", DUE, TWO, ConflictReason.DAY_FULL),
        ("dirk", datetime.date(2026, 4, 6), TEN, ConflictReason.DAY_OFF),  # Easter Monday
        ("dirk", datetime.date(2026, 3, 28), TEN, ConflictReason.DAY_OFF),  # a Saturday
        ("ann", DUE, TEN, ConflictReason.AWAY),
        ("eve", DUE, TEN, ConflictReason.UNKNOWN_PERSON),
    ],
)
def test_conflicts_name_their_reason(
    person: str, day: datetime.date, time: datetime.time, reason: ConflictReason | None
) -> None:
    first = plan_one(PEOPLE)
    second = structs.replace(first, product="desk", time=TWO, attendees=(Attendee("dpo", "dora"),))
    people = {**PEOPLE, "ann": away(DUE, DUE)}
    assert Diary([first, second], people, PlanningRules()).find_conflict(person, day, time) is reason


def test_a_move_onto_a_holiday_is_refused_and_one_onto_its_own_time_is_not() -> None:
    meeting = plan_one(PEOPLE)
    refuse_conflicts(find_conflicts(meeting, DUE, TEN, [meeting], PEOPLE))
    conflicts = find_conflicts(meeting, datetime.date(2026, 4, 6), TEN, [meeting], {**PEOPLE, "dora": Participant(BY)})
    assert conflicts == (
        MeetingConflict("carl", ConflictReason.DAY_OFF),
        MeetingConflict("dora", ConflictReason.DAY_OFF),
    )
    with pytest.raises(RefusedError, match=r"carl \(day-off\), dora \(day-off\)"):
        refuse_conflicts(conflicts)


PERSONS = [f"p{number}" for number in range(6)]
REGIONS = st.sampled_from([parse_region(code) for code in ("NL", "DE-BY", "US-CA", "IL", "JP")])
SEAT_LISTS = st.lists(
    st.builds(
        Seat, st.just("role"), st.sampled_from(PERSONS), st.lists(st.sampled_from(PERSONS), max_size=2).map(tuple)
    ),
    min_size=1,
    max_size=3,
).map(tuple)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(REGIONS, min_size=6, max_size=6),
    st.lists(st.tuples(st.dates(TODAY, datetime.date(2027, 3, 2)), SEAT_LISTS), max_size=12),
)
def test_plans_keep_all_rules(regions: list[Region], given_needs: list[tuple[datetime.date, tuple[Seat, ...]]]) -> None:
    people = {name: Participant(region) for name, region in zip(PERSONS, regions, strict=True)}
    needs = [Need(f"p{at}", MeetingKind.RETRO, 1, due, seats) for at, (due, seats) in enumerate(given_needs)]
    plan = plan_meetings(needs, [], people, TODAY)
    assert plan == plan_meetings(needs, [], people, TODAY)
    planned = {meeting.product for meeting in plan.meetings} | {each.need.product for each in plan.unplanned}
    assert planned == {need.product for need in needs}
    assert len(plan.meetings) + len(plan.unplanned) == len(needs)
    days: Counter[tuple[str, datetime.date]] = Counter()
    for meeting in plan.meetings:
        assert meeting.date > TODAY
        assert not meeting.is_past_due or meeting.moves[0].reason
        for person in {each.person for each in meeting.attendees}:
            assert is_working_day(people[person].region, meeting.date)
            days[person, meeting.date] += 1
    assert max(days.values(), default=0) <= 2


def test_weeks_begin_on_monday() -> None:
    assert week_of(datetime.date(2026, 3, 1)) == datetime.date(2026, 2, 23)
    assert week_of(TODAY) == TODAY
