"""Acts on a meeting: a person moves it; the service plans it, changes who is invited, or cancels it."""

from datetime import date, time
from typing import Annotated, ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Actor, Resource
from muniment.calendars import planning
from muniment.calendars.invitations import next_sequence
from muniment.calendars.meetings import MeetingKind, move_meeting
from muniment.errors import RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import number_input
from muniment.server.acts.inputs import Choice, Day, Integer, Label, Text, TextLines
from muniment.server.meetings.act_fields import MeetingAct, TimeOfDay
from muniment.server.meetings.meeting_changes import touch_meeting
from muniment.server.meetings.meeting_state import find_participants, read_meeting, read_open_meetings
from muniment.server.meetings.models import (
    MeetingAttendee,
    MeetingMove,
    MeetingRhythm,
    ProductMeeting,
    find_calendar,
    find_today,
)
from muniment.server.people.models import Person
from muniment.server.products.models import Product

_MOST_NUMBER = 100_000
_SEAT = r"[a-z]+ \S{1,64}(?: \S{1,64})?"


class MoveMeeting(MeetingAct, frozen=True):
    """Move a meeting to another day or time. It is never skipped; past its due date a reason is shown."""

    actions: ClassVar[tuple[Action, ...]] = (Action.PLAN_MEETING,)
    title: ClassVar[Label] = gettext_lazy("Move meeting")

    date: Annotated[date, Day(label=gettext_lazy("Day"), recorded=True)]
    time: TimeOfDay
    reason: Annotated[
        str,
        Text(
            label=gettext_lazy("Reason"),
            hint=gettext_lazy("Needed for a day after the due date. Everybody invited sees it."),
            most=500,
        ),
    ] = ""

    def describe_act(self) -> str:
        """The new day and time."""
        return _("move the meeting to %(day)s, %(time)s") % {"day": self.date.isoformat(), "time": self.time}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a day that is past, on which somebody is not free, or that needs a reason."""
        row = self.load_meeting()
        if row.cancelled_at is not None:
            raise RefusedError("meeting-cancelled", _("The meeting was cancelled."), _("Choose another meeting."))
        if row.held_with is not None and row.held_with.is_open:
            raise RefusedError(
                "held-together",
                _("It is held together with the meeting of %(product)s.") % {"product": row.held_with.product.name},
                _("Move that one, or hold this one apart first."),
            )
        calendar = find_calendar()
        if calendar is None:
            raise make_calendar_error()
        to, group = time.fromisoformat(self.time), _list_moved(row)
        keys = {each.lasting_key for each in group}
        others = [each for each in read_open_meetings() if each.key not in keys]
        people, today = find_participants(calendar.region), find_today(calendar.zone)
        for each in group:
            meeting = read_meeting(each)
            move_meeting(meeting, self.date, to, today=today, by=context.requester, reason=self.reason)
            if conflicts := planning.find_conflicts(meeting, self.date, to, others, people):
                raise make_conflict_error(conflicts)

    def carry_out(self, context: ActContext) -> None:
        """Store the move, set the day, and have everybody invited again, to each meeting that is held together."""
        for row in _list_moved(self.load_meeting()):
            store_move(row, self.date, time.fromisoformat(self.time), context.requesting_person, self.reason)
            touch_meeting(row)


def _list_moved(row: ProductMeeting) -> list[ProductMeeting]:
    """Meetings that move with one: those held together with it that are still to be held."""
    return [row, *(each for each in row.list_joint() if each.is_open and each.pk != row.pk)]


def store_move(row: ProductMeeting, day: date, at: time, person: str | None, reason: str) -> None:
    """Store the move of a meeting, and set its day and time."""
    calendar = find_calendar()
    if calendar is None:
        raise make_calendar_error()
    today = find_today(calendar.zone)
    MeetingMove.objects.create(
        meeting=row, before=row.date, after=day, moved_on=today, moved_by_id=person, reason=reason
    )
    ProductMeeting.objects.filter(pk=row.pk).update(date=day, time=at, dated_on=today)


def make_calendar_error() -> RefusedError:
    """Error of an organisation without a calendar."""
    return RefusedError(
        "no-calendar",
        _("The time zone and region of the organisation are not set."),
        _("Ask an administrator to set them on the page Calendar of the organisation."),
    )


_CONFLICTS = {
    planning.ConflictReason.UNKNOWN_PERSON: gettext_lazy("has left"),
    planning.ConflictReason.DAY_OFF: gettext_lazy("has a holiday or weekend"),
    planning.ConflictReason.AWAY: gettext_lazy("is away"),
    planning.ConflictReason.DAY_FULL: gettext_lazy("has two of our meetings that day"),
    planning.ConflictReason.SAME_TIME: gettext_lazy("has another of our meetings then"),
}


def make_conflict_error(conflicts: tuple[planning.MeetingConflict, ...]) -> RefusedError:
    """Error that names who cannot take part, and why."""
    names = dict(Person.objects.filter(pk__in=[one.person for one in conflicts]).values_list("pk", "name"))
    found = ", ".join(f"{names.get(one.person, '?')} {_CONFLICTS[one.reason]}" for one in conflicts)
    return RefusedError(
        "conflict",
        _("Not everybody can take part: %(who)s.") % {"who": found},
        _("Choose another day or time, or ask them to send a deputy."),
    )


KindOfMeeting = Annotated[MeetingKind, Choice(label=gettext_lazy("Kind"), options=MeetingKind, recorded=True)]
NumberOfMeeting = Annotated[int, Integer(label=gettext_lazy("Number"), least=1, most=_MOST_NUMBER, recorded=True)]
Seats = Annotated[
    tuple[str, ...],
    TextLines(label=gettext_lazy("Seats"), most=200, most_lines=60, pattern=_SEAT),
]


def _all_products(actor: Actor) -> "QuerySet[Product]":
    return Product.objects.all()


def _open_meetings(actor: Actor) -> "QuerySet[ProductMeeting]":
    return ProductMeeting.objects.filter(held_on=None, cancelled_at=None)


OpenMeetingNumber = Annotated[
    int,
    number_input(
        label=gettext_lazy("Meeting"),
        rows=_open_meetings,
        missing=gettext_lazy("There is no such meeting."),
        remedy=gettext_lazy("Nothing is left to do."),
        recorded=True,
    ),
]


class PlanningAct(Act, frozen=True):
    """Base of acts by which the service plans the meetings of a product."""

    actions: ClassVar[tuple[Action, ...]] = (Action.PLAN_MEETING,)

    product: Annotated[
        int,
        number_input(
            label=gettext_lazy("Product"),
            rows=_all_products,
            missing=gettext_lazy("There is no such product."),
            remedy=gettext_lazy("Nothing is left to do."),
            recorded=True,
        ),
    ]
    kind: KindOfMeeting

    def find_resource(self) -> Resource:
        return Resource(product=self.find_product_row().slug)

    def format_subject(self) -> str:
        return f"product:{self.find_product_row().slug}"

    def find_product_row(self) -> Product:
        return Product.objects.get(pk=self.product)


class StartRhythm(PlanningAct, frozen=True):
    """Start the rhythm of a kind of meeting of an active product, or end it if the product is inactive."""

    title: ClassVar[Label] = gettext_lazy("Start rhythm")

    first_due: Annotated[date, Day(label=gettext_lazy("First due date"), recorded=True)]
    second_due: Annotated[date, Day(label=gettext_lazy("Second due date"), recorded=True)]
    months: Annotated[int, Integer(label=gettext_lazy("Months"), least=1, most=24, recorded=True)]
    first_number: NumberOfMeeting
    ended_on: Annotated[date | None, Day(label=gettext_lazy("Ended on"), recorded=True)] = None

    def describe_act(self) -> str:
        """The kind and the first due date."""
        return _("have %(kind)s meetings from %(day)s") % {"kind": self.kind, "day": self.first_due.isoformat()}

    def carry_out(self, context: ActContext) -> None:
        values = {
            "first_due": self.first_due,
            "second_due": self.second_due,
            "months": self.months,
            "first_number": self.first_number,
            "ended_on": self.ended_on,
        }
        MeetingRhythm.objects.update_or_create(product_id=self.product, kind=self.kind, defaults=values)


class PlanMeeting(PlanningAct, frozen=True):
    """Plan the next meeting of a product, with its attendees: `role person` or `role deputy person`, one a line."""

    title: ClassVar[Label] = gettext_lazy("Plan meeting")

    number: NumberOfMeeting
    due: Annotated[date, Day(label=gettext_lazy("Due date"), recorded=True)]
    date: Annotated[date, Day(label=gettext_lazy("Day"), recorded=True)]
    time: TimeOfDay
    seats: Seats

    def describe_act(self) -> str:
        """The kind and the day."""
        return _("plan the %(kind)s of %(day)s") % {"kind": self.kind, "day": self.date.isoformat()}

    def carry_out(self, context: ActContext) -> None:
        """Store the meeting, its attendees, and that it is late if no earlier day was free."""
        calendar, now = find_calendar(), timezone.now()
        if calendar is None:
            raise make_calendar_error()
        today = find_today(calendar.zone)
        row = ProductMeeting.objects.create(
            product_id=self.product,
            kind=self.kind,
            number=self.number,
            due_on=self.due,
            date=self.date,
            time=time.fromisoformat(self.time),
            place=calendar.place,
            dated_on=today,
            sequence=next_sequence(now, -1),
            changed_at=now,
        )
        store_seats(row, self.seats)
        if self.date > self.due:
            MeetingMove.objects.create(meeting=row, before=self.due, after=self.date, moved_on=today)


class ChangeSeats(Act, frozen=True):
    """Change who is invited to a coming meeting, since other people were named."""

    actions: ClassVar[tuple[Action, ...]] = (Action.PLAN_MEETING,)
    title: ClassVar[Label] = gettext_lazy("Change invited people")

    meeting: OpenMeetingNumber
    seats: Seats

    def find_resource(self) -> Resource:
        return ProductMeeting.objects.select_related("product").get(pk=self.meeting).product_resource

    def format_subject(self) -> str:
        return f"meeting:{self.meeting}"

    def describe_act(self) -> str:
        """Sentence about the seats."""
        return _("change who is invited to the meeting")

    def carry_out(self, context: ActContext) -> None:
        row = ProductMeeting.objects.get(pk=self.meeting)
        store_seats(row, self.seats)
        touch_meeting(row)


class CancelMeeting(Act, frozen=True):
    """Cancel a coming meeting, since its product is no longer active."""

    actions: ClassVar[tuple[Action, ...]] = (Action.PLAN_MEETING,)
    title: ClassVar[Label] = gettext_lazy("Cancel meeting")

    meeting: OpenMeetingNumber

    def find_resource(self) -> Resource:
        return ProductMeeting.objects.select_related("product").get(pk=self.meeting).product_resource

    def format_subject(self) -> str:
        return f"meeting:{self.meeting}"

    def describe_act(self) -> str:
        """Sentence that says why."""
        return _("cancel the meeting, since its product is inactive")

    def carry_out(self, context: ActContext) -> None:
        row = ProductMeeting.objects.get(pk=self.meeting)
        ProductMeeting.objects.filter(pk=row.pk).update(cancelled_at=timezone.now())
        touch_meeting(row)


def store_seats(meeting: ProductMeeting, seats: tuple[str, ...]) -> None:
    """Make the attendees of a meeting those of `seats`. Attendees that stay keep their row, and so their answers."""
    wanted = set()
    for line in seats:
        role, person, *holder = line.split(" ")
        wanted.add((role, person, holder[0] if holder else None))
    for row in MeetingAttendee.objects.filter(meeting=meeting):
        if (row.role, row.person_id, row.deputises_for_id) in wanted:
            wanted.discard((row.role, row.person_id, row.deputises_for_id))
        else:
            row.delete()
    for role, person, deputises_for in sorted(wanted, key=str):
        MeetingAttendee.objects.create(meeting=meeting, role=role, person_id=person, deputises_for_id=deputises_for)
