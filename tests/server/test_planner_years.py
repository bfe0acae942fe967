"""Years of quarters through the planner of the service with a moved clock: none missed, doubled, or on a holiday.

MUNIMENT_YEARS_PRODUCTS and MUNIMENT_YEARS_MONTHS give larger numbers than those of the test: 200 and 36 were measured.
"""

import datetime
import itertools
import os
from collections import Counter
from typing import Any

import pytest
from django.db import models
from django.utils import timezone

from muniment.access.roles import Role
from muniment.calendars.meetings import MeetingKind
from muniment.calendars.rhythm import add_months, week_of
from muniment.calendars.working_days import is_working_day, parse_region
from muniment.server.meetings.models import (
    MeetingAttendee,
    MeetingCalendar,
    MeetingMove,
    MeetingRhythm,
    PersonRegion,
    ProductMeeting,
    RoleHolder,
)
from muniment.server.meetings.planner import plan_all_meetings
from muniment.server.people.models import Person, RoleGrant
from muniment.server.products.models import Product
from muniment.server.running import demonstration_clock
from tests.support.service import as_role, person, product

pytestmark = [pytest.mark.usefixtures("service"), pytest.mark.slow]

PRODUCTS = int(os.environ.get("MUNIMENT_YEARS_PRODUCTS", "6"))
MONTHS = int(os.environ.get("MUNIMENT_YEARS_MONTHS", "12"))
START = datetime.date(2027, 11, 15)  # so that 29 February 2028, clock changes and an end of a year lie within
END = add_months(START, MONTHS)
STEP = datetime.timedelta(7)
FIRST_WEEKS = 6  # all products are connected on one day, so their first meetings share 30 days
TEAM = min(20, max(3, PRODUCTS // 5))  # people of each role
REGIONS = ("NL", "NL", "BE", "DE-BY", "US-CA")
TABLES: tuple[type[models.Model], ...] = (MeetingRhythm, ProductMeeting, MeetingAttendee, MeetingMove)
RETIRED, RETIRED_WEEK, REVIVED_WEEK, RESTORED_WEEK = "p0", 14, 24, 20


def fill_organisation() -> None:
    with as_role("owner"):
        MeetingCalendar.objects.create(zone="Europe/Amsterdam", region="NL")
    people: dict[str, list[Person]] = {}
    for name, role in (("chair", Role.SECURITY), ("analyst", Role.ANALYST), ("dpo", Role.DPO), ("stakeholder", None)):
        people[name] = [person(f"{name}{at}", *([role] if role else [])) for at in range(TEAM)]
    people["developer"] = [person(f"developer{at}") for at in range(TEAM)]
    people["owner"] = [person(f"owner{at}") for at in range(TEAM)]
    with as_role("owner"):
        for at, someone in enumerate(each for group in people.values() for each in group):
            PersonRegion.objects.create(person=someone, region=REGIONS[at % len(REGIONS)])
    for number in range(PRODUCTS):
        row = product(f"p{number}")
        with as_role("owner"):
            Product.objects.filter(pk=row.pk).update(created_at=datetime.datetime(2027, 11, 15, tzinfo=datetime.UTC))
            for seat in ("chair", "analyst", "dpo", "stakeholder"):
                for position in range(3):
                    someone = people[seat][(number + position * 7) % TEAM]
                    RoleHolder.objects.get_or_create(
                        product=row, role=seat, person=someone, defaults={"position": position}
                    )
            RoleGrant.objects.create(person=people["owner"][number % TEAM], role="owner", product=row)
            for position in range(2):
                someone = people["developer"][(number + position) % TEAM]
                RoleGrant.objects.create(person=someone, role="developer", product=row)


def hold_meetings(today: datetime.date) -> None:
    """Hold what was due before today."""
    with as_role("owner"):
        rows = ProductMeeting.objects.filter(held_on=None, cancelled_at=None, date__lt=today)
        rows.update(held_on=models.F("date"))


def set_use(*, used: bool) -> None:
    values = {"has_users": used, "supported": used, "deployed": used, "holds_personal_data": used}
    with as_role("owner"):
        rows = Product.objects.filter(slug=RETIRED)
        rows.update(**values)
        day = demonstration_clock.MovedClock.now(datetime.UTC)
        rows.update(retired_at=None if used else day, retired_since=None if used else day.date())


def take_snapshot() -> dict[type[models.Model], list[Any]]:
    return {table: list(table._default_manager.all()) for table in TABLES}


def restore_snapshot(rows: dict[type[models.Model], list[Any]]) -> None:
    """Have the tables be as they were, as after a restored backup."""
    with as_role("owner"):
        for table in reversed(TABLES):
            table._default_manager.all().delete()
        for table in TABLES:
            table._default_manager.bulk_create(rows[table])


def live() -> set[tuple[str, str, int, datetime.date]]:
    """Run the planner each week; what was invited in the world, whatever a backup forgot."""
    known: set[tuple[str, str, int, datetime.date]] = set()
    snapshot = None
    for week in range((END - START).days // 7):
        today = START + STEP * week
        demonstration_clock.move_clock(datetime.datetime.combine(today, datetime.time(6), datetime.UTC))
        hold_meetings(today)
        if week == RETIRED_WEEK:
            set_use(used=False)
        if week == REVIVED_WEEK:
            set_use(used=True)
        if week == RESTORED_WEEK and snapshot is not None:
            restore_snapshot(snapshot)
        with as_role("worker"):
            plan_all_meetings()
        if week == RESTORED_WEEK - 1:
            snapshot = take_snapshot()
        rows = ProductMeeting.objects.filter(cancelled_at=None)
        known |= set(rows.values_list("product__slug", "kind", "number", "date"))
    return known


def test_planner_misses_and_doubles_nothing_in_years_of_quarters() -> None:
    fill_organisation()
    with demonstration_clock.replace_clock():
        known = live()
        last = timezone.localdate()
    assert Counter((slug, kind, number) for slug, kind, number, _day in known).most_common(1)[0][1] == 1, "moved"
    check_every_quarter(last)
    check_days()
    check_revived()


def check_every_quarter(last: datetime.date) -> None:
    for slug in (f"p{number}" for number in range(1, PRODUCTS)):
        for kind in MeetingKind:
            rows = list(ProductMeeting.objects.filter(product__slug=slug, kind=kind).order_by("number"))
            assert [row.number for row in rows] == list(range(1, len(rows) + 1))
            assert (rows[0].due_on - START).days <= 30
            for before, after in itertools.pairwise(rows[1:]):
                assert after.due_on == add_months(rows[1].due_on, 3 * (after.number - 2)), (slug, kind)
                assert before.due_on < after.due_on
            held = [row for row in rows if row.held_on is not None]
            assert len(held) >= (last - START).days // 92 - 1
            assert all(row.held_on is not None for row in rows if row.date < last - STEP)
            late = [row for row in rows if row.date > row.due_on]
            assert all(row.moves.exists() for row in late)


def check_days() -> None:
    regions = dict(PersonRegion.objects.values_list("person", "region"))
    days: Counter[tuple[str, datetime.date]] = Counter()
    for row in ProductMeeting.objects.prefetch_related("attendees"):
        for someone in {each.person_id for each in row.attendees.all()}:
            assert is_working_day(parse_region(regions[someone]), row.date), (row.lasting_key, row.date)
            days[someone, row.date] += row.cancelled_at is None
    assert max(days.values()) <= 2
    if PRODUCTS >= 100:  # with few products a week has one meeting or none
        weeks = Counter(week_of(day) for day in ProductMeeting.objects.values_list("date", flat=True))
        first, end = week_of(START + STEP * FIRST_WEEKS), week_of(END)
        counts = [weeks[first + STEP * at] for at in range((end - first).days // 7)]
        ratio = max(counts) / (sum(counts) / len(counts))
        assert ratio <= 1.5, f"{sum(weeks.values())} meetings"


def check_revived() -> None:
    gone, back = START + STEP * RETIRED_WEEK, START + STEP * REVIVED_WEEK
    for kind in MeetingKind:
        rows = ProductMeeting.objects.filter(product__slug=RETIRED, kind=kind)
        assert not rows.filter(date__gt=gone, date__lt=back, cancelled_at=None).exists()
        again = rows.filter(date__gte=back, cancelled_at=None).order_by("number").first()
        assert again is not None
        assert (again.due_on - back).days <= 30
        assert rows.filter(number=again.number).count() == 1
