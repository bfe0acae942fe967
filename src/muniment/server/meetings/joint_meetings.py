"""Meetings that are held together, such as the retro of a team with several products.

Each product keeps its own meeting: its agenda, minutes, signatures and record. One of them is the main one; the others
point to it, have its day, time and lead, and follow when it moves.
"""

from typing import Annotated, ClassVar, NamedTuple

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import AccessResult, Actor, authorize
from muniment.calendars import planning
from muniment.calendars.meetings import move_meeting
from muniment.errors import RefusedError
from muniment.server.acts.act import ActContext
from muniment.server.acts.fields import number_input
from muniment.server.acts.inputs import Label, Text
from muniment.server.meetings.act_fields import MeetingAct
from muniment.server.meetings.meeting_acts import make_calendar_error, make_conflict_error, store_move
from muniment.server.meetings.meeting_changes import touch_meeting
from muniment.server.meetings.meeting_state import find_participants, read_meeting, read_open_meetings
from muniment.server.meetings.models import (
    MeetingAttendee,
    MeetingRole,
    ProductMeeting,
    find_calendar,
    find_open_meetings,
    find_today,
)
from muniment.server.meetings.seat_acts import refuse_conflicting_roles
from muniment.server.products.visible_products import within_reach

_LEADS = (MeetingRole.CHAIR, MeetingRole.FACILITATOR)


def _plannable_meetings(actor: Actor) -> "QuerySet[ProductMeeting]":
    return find_open_meetings().filter(within_reach(actor, Action.PLAN_MEETING, "product"))


def list_joinable_meetings(actor: Actor, meeting: ProductMeeting) -> list[ProductMeeting]:
    """Meetings with which a meeting can be held together: of the same kind, not opened, of another product."""
    if not _is_untouched(meeting) or meeting.held_with_id or meeting.companions.exists():
        return []
    rows = _plannable_meetings(actor).filter(kind=meeting.kind, held_with=None).exclude(product=meeting.product)
    return [row for row in rows.order_by("product__name", "date") if _is_untouched(row)]


class HoldTogether(MeetingAct, frozen=True):
    """Hold a meeting together with that of another product: on its day, led by the same person."""

    actions: ClassVar[tuple[Action, ...]] = (Action.PLAN_MEETING,)
    title: ClassVar[Label] = gettext_lazy("Hold together")

    main: Annotated[
        int,
        number_input(
            label=gettext_lazy("Together with"),
            rows=_plannable_meetings,
            missing=gettext_lazy("There is no such meeting that you may plan."),
            remedy=gettext_lazy("Choose one that the page of the meeting offers."),
            recorded=True,
        ),
    ]
    reason: Annotated[
        str, Text(label=gettext_lazy("Reason"), hint=gettext_lazy("Needed if it is then held late."), most=500)
    ] = ""

    def load_main(self) -> ProductMeeting:
        """Row of the meeting with which it is held, with its product."""
        return ProductMeeting.objects.select_related("product").get(pk=self.main)

    def describe_act(self) -> str:
        """Sentence that names both products."""
        names = {"product": self.load_meeting().product.name, "other": self.load_main().product.name}
        return _("hold the meetings of %(product)s and %(other)s together") % names

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse meetings that do not fit together, a day on which somebody is not free, and a lead who may not."""
        row, main, calendar = self.load_meeting(), self.load_main(), find_calendar()
        if calendar is None:
            raise make_calendar_error()
        if row.kind != main.kind or row.product_id == main.product_id:
            raise RefusedError(
                "other-kind",
                _("Only meetings of one kind, of different products, are held together."),
                _("Choose one that the page of the meeting offers."),
            )
        if row.held_with_id or main.held_with_id or row.companions.exists():
            raise RefusedError(
                "joined-already",
                _("One of them is held together with another meeting already."),
                _("Choose its main meeting, or hold it apart first."),
            )
        if not _is_untouched(row) or not _is_untouched(main):
            raise RefusedError(
                "begun-already",
                _("One of them was opened, or its anonymous feedback has begun."),
                _("Hold the next ones together."),
            )
        lead = _find_lead_seat(main)
        if lead is not None:
            _refuse_unfit_lead(lead, row)
        meeting, today = read_meeting(row), find_today(calendar.zone)
        move_meeting(meeting, main.date, main.time, today=today, by=context.requester, reason=self.reason)
        group = {each.lasting_key for each in main.list_joint()}
        others = [each for each in read_open_meetings() if each.key not in group]
        people = find_participants(calendar.region)
        if conflicts := planning.find_conflicts(meeting, main.date, main.time, others, people):
            raise make_conflict_error(conflicts)

    def carry_out(self, context: ActContext) -> None:
        """Point to the main meeting, take its day and lead, and have everybody invited again."""
        row, main = self.load_meeting(), self.load_main()
        if row.date != main.date or row.time != main.time:
            store_move(row, main.date, main.time, context.requesting_person, self.reason)
        ProductMeeting.objects.filter(pk=row.pk).update(held_with=main, place=main.place)
        _copy_lead(main, row)
        touch_meeting(row)


class HoldApart(MeetingAct, frozen=True):
    """Hold a meeting apart from the others again. Its day stays."""

    actions: ClassVar[tuple[Action, ...]] = (Action.PLAN_MEETING,)
    title: ClassVar[Label] = gettext_lazy("Hold apart")

    def describe_act(self) -> str:
        """Sentence about the product."""
        return _("hold the meeting of %(product)s apart") % {"product": self.load_meeting().product.name}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a meeting that points to no other, and one that has begun."""
        row = self.load_meeting()
        if row.held_with is None:
            raise RefusedError("not-joined", _("It is not held together with another one."), _("Open its page again."))
        if not _is_untouched(row) or not _is_untouched(row.held_with):
            raise RefusedError(
                "begun-already",
                _("One of them was opened, or its anonymous feedback has begun."),
                _("Hold the next ones apart."),
            )

    def carry_out(self, context: ActContext) -> None:
        """Point to no other meeting."""
        row = self.load_meeting()
        ProductMeeting.objects.filter(pk=row.pk).update(held_with=None)
        touch_meeting(row)


class JointLine(NamedTuple):
    """Meeting of the group to which a page belongs, and whether it is that of the page."""

    meeting: ProductMeeting
    is_current: bool


def list_joint_lines(meeting: ProductMeeting) -> list[JointLine]:
    """Meetings that are held together with one, itself among them; empty for one that is held alone."""
    group = meeting.list_joint()
    return [JointLine(each, each.pk == meeting.pk) for each in group] if len(group) > 1 else []


def find_led_meetings(meeting: ProductMeeting, person: str) -> list[ProductMeeting]:
    """Meetings held together with one that a person leads, the one itself first."""
    found = [meeting]
    for each in meeting.list_joint():
        lead = _find_lead_seat(each)
        if each.pk != meeting.pk and each.is_open and lead is not None and lead.person_id == person:
            found.append(each)
    return found


def _is_untouched(meeting: ProductMeeting) -> bool:
    """Whether a meeting is still to be held, and nothing of it has begun."""
    return meeting.is_open and not hasattr(meeting, "held_minutes") and not hasattr(meeting, "feedback")


def _find_lead_seat(meeting: ProductMeeting) -> MeetingAttendee | None:
    return meeting.attendees.filter(role__in=_LEADS).select_related("person").first()


def _refuse_unfit_lead(lead: MeetingAttendee, meeting: ProductMeeting) -> None:
    """Raise RefusedError for a lead who may not see the other product, or whose roles there conflict."""
    person, product = lead.person, meeting.product
    refuse_conflicting_roles(MeetingRole(lead.role), person, product)
    actor = Actor(person=person.pk, active=person.active, grants=person.load_roles())
    if authorize(actor, Action.SEE_MEETINGS, meeting.product_resource) is not AccessResult.YES:
        raise RefusedError(
            "lead-sees-nothing",
            _("%(name)s leads the meeting, and may not see %(product)s.")
            % {"name": person.name, "product": product.name},
            _("Ask an administrator to grant them a role in that product, or choose another meeting."),
        )


def _copy_lead(main: ProductMeeting, row: ProductMeeting) -> None:
    """Give the seat of the lead to the person who leads the main meeting, as a deputy of who had it."""
    lead, seat = _find_lead_seat(main), _find_lead_seat(row)
    if lead is None or seat is None or lead.person_id == seat.person_id:
        return
    holder = seat.deputises_for_id or seat.person_id
    seat.person_id = lead.person_id
    seat.deputises_for_id = None if lead.person_id == holder else holder
    seat.save(update_fields=["person_id", "deputises_for_id"])
