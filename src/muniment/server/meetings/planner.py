"""Plans the next meetings of every active product. What it does is an act of the service, on the record.

The same state gives the same plan, and nothing is planned twice: so it may stop anywhere, and run again.
"""

import datetime
import logging
from collections.abc import Mapping

from django.db import IntegrityError
from msgspec import Struct

from muniment.calendars import planning
from muniment.calendars.meetings import Attendee, Meeting, MeetingKind, Seat
from muniment.calendars.rhythm import Rhythm, add_load, count_load, start_rhythm
from muniment.errors import ActInputError, MunimentError
from muniment.server.acts.act import Act
from muniment.server.acts.execution import execute_system_act
from muniment.server.acts.system_actors import SystemActor
from muniment.server.meetings import models
from muniment.server.meetings.meeting_acts import CancelMeeting, ChangeSeats, PlanMeeting, StartRhythm
from muniment.server.meetings.meeting_state import find_all_seats, find_participants, format_seats, read_meetings
from muniment.server.meetings.product_activity import find_activities
from muniment.server.meetings.rhythm_months import read_rhythm_months
from muniment.server.products.models import Product
from muniment.server.records import row_checks

_AHEAD_DAYS = 125  # a period and the days in which a day is looked for
_SOON_DAYS = 45
_KEPT_DAYS = 400  # of meetings that were held, of which the newest counts
_TABLES = (
    *(models.MeetingCalendar, models.RoleHolder, models.MeetingRhythm, models.ProductMeeting, models.MeetingAttendee),
    *(models.MeetingMove, Product),
)
_Programme = tuple[str, MeetingKind]
_log = logging.getLogger("muniment.meetings")


class PlanningState(Struct, frozen=True):
    """State by which meetings are planned. `seats` are those of the next meeting of each kind."""

    today: datetime.date
    region: str
    months: int
    active: Mapping[str, bool]
    products: Mapping[str, int]  # keys of rows
    rhythms: Mapping[_Programme, Rhythm]
    ended: frozenset[_Programme]
    meetings: tuple[Meeting, ...]
    rows: Mapping[str, int]  # of open meetings, by key
    seats: Mapping[_Programme, tuple[Seat, ...]]


def plan_all_meetings() -> None:
    """Plan what is due. Nothing without a calendar. Raises RowsDifferError if a row differs from the ledger."""
    calendar = models.find_calendar()
    if calendar is None:
        return
    today = models.find_today(calendar.zone)
    state = row_checks.read_recorded(lambda: _read_state(calendar, today), *_TABLES)
    if _change_rhythms(state):
        state = row_checks.read_recorded(lambda: _read_state(calendar, today), *_TABLES)
    _cancel_meetings(state)
    _change_seats(state)
    _plan_needs(state)


def _read_state(calendar: models.MeetingCalendar, today: datetime.date) -> PlanningState:
    earliest = today - datetime.timedelta(_KEPT_DAYS)
    rows = models.ProductMeeting.objects.filter(date__gte=earliest) | models.find_open_meetings()
    found = list(rows.select_related("product").prefetch_related("attendees", "moves"))
    meetings = read_meetings(found)
    activities = find_activities(today)
    numbers = {
        (slug, kind): planning.find_next_number(meetings, slug, kind) for slug in activities for kind in MeetingKind
    }
    stored = list(models.MeetingRhythm.objects.select_related("product"))
    return PlanningState(
        today=today,
        region=calendar.region,
        months=read_rhythm_months(),
        active={slug: activity.is_active for slug, activity in activities.items()},
        products=dict(Product.objects.values_list("slug", "pk")),
        rhythms={
            (row.product.slug, MeetingKind(row.kind)): Rhythm(
                row.first_due, row.second_due, row.months, first_number=row.first_number
            )
            for row in stored
            if row.ended_on is None
        },
        ended=frozenset((row.product.slug, MeetingKind(row.kind)) for row in stored if row.ended_on is not None),
        meetings=meetings,
        rows={row.lasting_key: row.pk for row in found if row.is_open},
        seats=find_all_seats(numbers),
    )


def _change_rhythms(state: PlanningState) -> bool:
    """Start the rhythm of products that are new or active again, and end it for inactive ones; whether any changed."""
    changed = False
    load = count_load({f"{slug}/{kind}": rhythm for (slug, kind), rhythm in state.rhythms.items()}, state.today)
    for slug, is_active in sorted(state.active.items()):
        for kind in MeetingKind:
            current = state.rhythms.get((slug, kind))
            if is_active and current is None:
                first = planning.find_next_number(state.meetings, slug, kind)
                started = start_rhythm(state.today, state.months, load, first_number=first)
                add_load(load, started, state.today)
                changed |= _store_rhythm(state, slug, kind, started, None)
            elif not is_active and current is not None:
                changed |= _store_rhythm(state, slug, kind, current, state.today)
    return changed


def _store_rhythm(
    state: PlanningState, slug: str, kind: MeetingKind, rhythm: Rhythm, ended_on: datetime.date | None
) -> bool:
    values = {
        "product": state.products[slug],
        "kind": kind.value,
        "first_due": rhythm.first_due,
        "second_due": rhythm.second_due,
        "months": rhythm.months,
        "first_number": rhythm.first_number,
    }
    return _perform_act(StartRhythm, values | ({"ended_on": ended_on} if ended_on is not None else {}))


def _cancel_meetings(state: PlanningState) -> None:
    inactive = frozenset(slug for slug, is_active in state.active.items() if not is_active)
    for meeting in planning.find_meetings_to_cancel(state.meetings, inactive, state.today):
        if meeting.key in state.rows:
            _perform_act(CancelMeeting, {"meeting": state.rows[meeting.key]})


def _change_seats(state: PlanningState) -> None:
    """Invite the people of the present seats to coming meetings; a deputy who was sent keeps the seat."""
    for meeting in state.meetings:
        if meeting.key not in state.rows or meeting.date < state.today or not state.active.get(meeting.product):
            continue
        seats = state.seats[meeting.product, meeting.kind]
        if meeting.kind is MeetingKind.RETRO:  # the facilitator changes from one retro to the next
            seats = tuple(seat for seat in seats if seat.role != models.MeetingRole.FACILITATOR)
        present = {(each.role, each.deputises_for or each.person): each for each in meeting.attendees}
        remaining = [each for each in meeting.attendees if each.role not in {seat.role for seat in seats}]
        wanted = [present.get((seat.role, seat.person)) or Attendee(seat.role, seat.person) for seat in seats]
        seated = [*remaining, *wanted]
        if set(seated) != set(meeting.attendees) and wanted:
            _perform_act(ChangeSeats, {"meeting": state.rows[meeting.key], "seats": format_seats(seated)})


def _plan_needs(state: PlanningState) -> None:
    """Plan the needs that have people. One that finds no day names them, for the page of its product."""
    programmes = [
        planning.Programme(slug, kind, rhythm, state.seats[slug, kind])
        for (slug, kind), rhythm in sorted(state.rhythms.items())
        if state.active.get(slug) and state.seats[slug, kind]
    ]
    needs = planning.list_needs(programmes, state.meetings, state.today + datetime.timedelta(_AHEAD_DAYS))
    coming = tuple(each for each in state.meetings if each.key in state.rows)
    have_next = {(each.product, each.kind) for each in coming}
    soon = state.today + datetime.timedelta(_SOON_DAYS)
    chosen = []
    for need in needs:  # those due soon, and the next one of each product that has none
        if need.due <= soon or (need.product, need.kind) not in have_next:
            chosen.append(need)
            have_next.add((need.product, need.kind))
    plan = planning.plan_meetings(chosen, coming, find_participants(state.region), state.today)
    for meeting in plan.meetings:
        values = {
            "product": state.products[meeting.product],
            "kind": meeting.kind.value,
            "number": meeting.number,
            "due": meeting.due,
            "date": meeting.date,
            "time": f"{meeting.time:%H:%M}",
            "seats": format_seats(meeting.attendees),
        }
        _perform_act(PlanMeeting, values)
    _store_lacking(plan)


def _store_lacking(plan: planning.Plan) -> None:
    lacking = {(one.need.product, one.need.kind.value): list(one.missing) for one in plan.unplanned}
    for row in models.MeetingRhythm.objects.select_related("product"):
        found = lacking.get((row.product.slug, row.kind), [])
        if row.lacking != found:
            models.MeetingRhythm.objects.filter(pk=row.pk).update(lacking=found)


def _perform_act(act: type[Act], values: Mapping[str, object]) -> bool:
    """Carry out an act of the service; whether it was. One that is refused does not stop the others."""
    try:
        execute_system_act(SystemActor.PLANNING, act, values)
    except (ActInputError, IntegrityError, MunimentError) as error:
        _log.warning("%s was not done: %s", act.__name__, type(error).__name__)
        return False
    return True
