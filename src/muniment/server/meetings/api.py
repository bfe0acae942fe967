"""Meetings, as programs see them."""

from django.http import HttpRequest
from ninja import Query, Router

from muniment.access.actions import Action
from muniment.server.acts.schemas import build_body_schema
from muniment.server.api_operations import Cursor, for_action, page_by_number, run_act
from muniment.server.guarding.mediation import current_actor, find_no_resource, find_own_resource
from muniment.server.meetings.act_fields import visible_meetings
from muniment.server.meetings.calendar_acts import RenewCalendarFeed, SetMeetingCalendar, SetOwnLanguage, SetOwnRegion
from muniment.server.meetings.joint_meetings import HoldApart, HoldTogether
from muniment.server.meetings.meeting_acts import MoveMeeting
from muniment.server.meetings.models import ProductMeeting
from muniment.server.meetings.seat_acts import AnswerInvitation, NameForMeetings, RemoveFromMeetings, SendDeputy
from muniment.server.meetings.views import find_meeting_resource, find_seat_resource
from muniment.server.people.models import Person
from muniment.server.products.views import find_product_resource

router = Router()

# types that are made at run time, from the fields of the acts
MoveBody = build_body_schema(MoveMeeting, fixed=("meeting",))
TogetherBody = build_body_schema(HoldTogether, fixed=("meeting",))
AnswerBody = build_body_schema(AnswerInvitation, fixed=("seat",))
DeputyBody = build_body_schema(SendDeputy, fixed=("seat",))
NameBody = build_body_schema(NameForMeetings, fixed=("product",))
RemoveBody = build_body_schema(RemoveFromMeetings, fixed=("product",))
CalendarBody = build_body_schema(SetMeetingCalendar)
LanguageBody = build_body_schema(SetOwnLanguage, fixed=("person",))
RegionBody = build_body_schema(SetOwnRegion, fixed=("person",))


@router.get("/meetings")
@for_action(Action.SEE_MEETINGS, find_no_resource)
def list_meetings(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, object]:
    """List the meetings that the token may see."""
    return page_by_number(visible_meetings(current_actor(request)), cursor, _serialize_meeting)


@router.put("/meetings/calendar")
@for_action(Action.CHANGE_SETTINGS)
def store_calendar(request: HttpRequest, body: CalendarBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Set the time zone and region of the organisation."""
    return run_act(request, SetMeetingCalendar, {})


@router.post("/meetings/{number}/move")
@for_action(Action.PLAN_MEETING, find_meeting_resource)
def request_move(request: HttpRequest, number: int, body: MoveBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Move a meeting. Past its due date a reason is needed."""
    return run_act(request, MoveMeeting, {"meeting": number})


@router.post("/meetings/{number}/together")
@for_action(Action.PLAN_MEETING, find_meeting_resource)
def hold_together(request: HttpRequest, number: int, body: TogetherBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Hold a meeting together with that of another product."""
    return run_act(request, HoldTogether, {"meeting": number})


@router.post("/meetings/{number}/apart")
@for_action(Action.PLAN_MEETING, find_meeting_resource)
def hold_apart(request: HttpRequest, number: int) -> dict[str, object]:
    """Hold a meeting apart from the others again."""
    return run_act(request, HoldApart, {"meeting": number})


@router.post("/meetings/seats/{number}/answer")
@for_action(Action.TAKE_PART_IN_MEETING, find_seat_resource)
def serve_answer(request: HttpRequest, number: int, body: AnswerBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Answer the invitation to a meeting."""
    return run_act(request, AnswerInvitation, {"seat": number})


@router.post("/meetings/seats/{number}/deputy")
@for_action(Action.TAKE_PART_IN_MEETING, find_seat_resource)
def send_deputy(request: HttpRequest, number: int, body: DeputyBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Give the seat to a deputy."""
    return run_act(request, SendDeputy, {"seat": number})


@router.post("/products/{slug}/meeting-roles")
@for_action(Action.PLAN_MEETING, find_product_resource)
def name_for_meetings(request: HttpRequest, slug: str, body: NameBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Name a person for a role in the meetings of a product."""
    return run_act(request, NameForMeetings, {"product": slug})


@router.post("/products/{slug}/meeting-roles/remove")
@for_action(Action.PLAN_MEETING, find_product_resource)
def remove_from_meetings(request: HttpRequest, slug: str, body: RemoveBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Remove a person from a role in the meetings of a product."""
    return run_act(request, RemoveFromMeetings, {"product": slug})


@router.put("/me/region")
@for_action(Action.MANAGE_OWN_ACCOUNT, find_own_resource)
def set_own_region(request: HttpRequest, body: RegionBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Set the region whose holidays one has."""
    return run_act(request, SetOwnRegion, {"person": _find_own_handle(request)})


@router.put("/me/language")
@for_action(Action.MANAGE_OWN_ACCOUNT, find_own_resource)
def set_own_language(request: HttpRequest, body: LanguageBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Set the language in which one gets mails about meetings."""
    return run_act(request, SetOwnLanguage, {"person": _find_own_handle(request)})


@router.post("/me/calendar/renew")
@for_action(Action.MANAGE_OWN_ACCOUNT, find_own_resource)
def renew_calendar_feed(request: HttpRequest) -> dict[str, object]:
    """Renew the address of one's calendar feed. Its page gives the address."""
    return run_act(request, RenewCalendarFeed, {"person": _find_own_handle(request)})


def _find_own_handle(request: HttpRequest) -> str:
    return Person.objects.get(pk=current_actor(request).person).slug


def _serialize_meeting(row: ProductMeeting) -> dict[str, object]:
    return {
        "number": row.pk,
        "product": row.product.slug,
        "kind": row.kind,
        "due_on": row.due_on.isoformat(),
        "date": row.date.isoformat(),
        "time": f"{row.time:%H:%M}",
        "minutes": row.minutes,
        "held_on": row.held_on.isoformat() if row.held_on else None,
        "held_with": row.held_with_id,
        "cancelled_at": row.cancelled_at.isoformat() if row.cancelled_at else None,
        "people": [{"role": each.role, "person": each.person.slug} for each in row.attendees.select_related("person")],
    }
