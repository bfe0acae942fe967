"""Minutes of meetings, as programs see them."""

from django.http import Http404, HttpRequest
from ninja import Query, Router

from muniment.access.actions import Action
from muniment.server.acts.schemas import build_body_schema
from muniment.server.api_operations import Cursor, for_action, page_by_number, run_act
from muniment.server.guarding.mediation import current_actor, find_no_resource
from muniment.server.meetings.act_fields import visible_meetings
from muniment.server.meetings.views import find_meeting_resource, find_seat_resource
from muniment.server.minutes.chair_acts import (
    AddAction,
    AddCorrection,
    CloseMeeting,
    ConfirmAttendance,
    DeferItem,
    FinishItem,
    FinishUnchanged,
    OpenMeeting,
    RecordDecision,
)
from muniment.server.minutes.models import EntryKind, Minutes, MinutesEntry
from muniment.server.minutes.own_acts import (
    AnswerAdvice,
    FinishAction,
    MoveAction,
    ObjectToMinutes,
    RecordDissent,
    SignMinutes,
    WriteAdvice,
)
from muniment.server.minutes.taking_part import is_signed
from muniment.server.minutes.views import find_action_resource, find_advice_resource, find_lead_resource

router = Router()

# types that are made at run time, from the fields of the acts
_MEETING, _SEAT = ("meeting",), ("seat",)
ItemBody = build_body_schema(FinishItem, fixed=_MEETING)
DeferBody = build_body_schema(DeferItem, fixed=_MEETING)
DecisionBody = build_body_schema(RecordDecision, fixed=_MEETING)
ActionBody = build_body_schema(AddAction, fixed=_MEETING)
AttendanceBody = build_body_schema(ConfirmAttendance, fixed=_MEETING)
MinutesCorrectionBody = build_body_schema(AddCorrection, fixed=_MEETING)
AdviceBody = build_body_schema(WriteAdvice, fixed=_SEAT)
DissentBody = build_body_schema(RecordDissent, fixed=_SEAT)
SignatureBody = build_body_schema(SignMinutes, fixed=_SEAT)
ObjectionBody = build_body_schema(ObjectToMinutes, fixed=_SEAT)
DoneBody = build_body_schema(FinishAction, fixed=("action",))
ActionMoveBody = build_body_schema(MoveAction, fixed=("action",))
AdviceAnswerBody = build_body_schema(AnswerAdvice, fixed=("advice",))


@router.get("/meetings/{number}/minutes")
@for_action(Action.SEE_MEETINGS, find_meeting_resource)
def read_minutes(request: HttpRequest, number: int) -> dict[str, object]:
    """Minutes of a meeting that has ended."""
    row = Minutes.objects.select_related("meeting").filter(meeting=number, closed_at__isnull=False).first()
    if row is None:
        raise Http404
    return {"digest": row.digest, "agenda_digest": row.agenda_digest, "text": row.text, "signed": is_signed(row)}


@router.get("/meeting-actions")
@for_action(Action.SEE_MEETINGS, find_no_resource)
def list_actions(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, object]:
    """List the actions of the meetings that the token may see."""
    rows = MinutesEntry.objects.filter(kind=EntryKind.ACTION, meeting__in=visible_meetings(current_actor(request)))
    return page_by_number(rows.select_related("meeting__product", "owner"), cursor, _serialize_action)


@router.post("/meetings/{number}/open")
@for_action(Action.CHAIR_MEETING, find_lead_resource)
def open_meeting(request: HttpRequest, number: int) -> dict[str, object]:
    """Open a meeting: its agenda is frozen."""
    return run_act(request, OpenMeeting, {"meeting": number})


@router.post("/meetings/{number}/items/done")
@for_action(Action.CHAIR_MEETING, find_lead_resource)
def finish_item(request: HttpRequest, number: int, body: ItemBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Note that an item of the agenda is done."""
    return run_act(request, FinishItem, {"meeting": number})


@router.post("/meetings/{number}/items/unchanged")
@for_action(Action.CHAIR_MEETING, find_lead_resource)
def finish_unchanged(request: HttpRequest, number: int) -> dict[str, object]:
    """Note that all items without anything new are done."""
    return run_act(request, FinishUnchanged, {"meeting": number})


@router.post("/meetings/{number}/items/defer")
@for_action(Action.CHAIR_MEETING, find_lead_resource)
def defer_item(request: HttpRequest, number: int, body: DeferBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Defer an item with a reason."""
    return run_act(request, DeferItem, {"meeting": number})


@router.post("/meetings/{number}/decisions")
@for_action(Action.CHAIR_MEETING, find_lead_resource)
def record_decision(request: HttpRequest, number: int, body: DecisionBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Record a decision on an item."""
    return run_act(request, RecordDecision, {"meeting": number})


@router.post("/meetings/{number}/actions")
@for_action(Action.CHAIR_MEETING, find_lead_resource)
def add_action(request: HttpRequest, number: int, body: ActionBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Add an action, with who does it and by when."""
    return run_act(request, AddAction, {"meeting": number})


@router.post("/meetings/{number}/attendance")
@for_action(Action.CHAIR_MEETING, find_lead_resource)
def confirm_attendance(request: HttpRequest, number: int, body: AttendanceBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Confirm whether a person is there."""
    return run_act(request, ConfirmAttendance, {"meeting": number})


@router.post("/meetings/{number}/end")
@for_action(Action.CHAIR_MEETING, find_lead_resource)
def end_meeting(request: HttpRequest, number: int) -> dict[str, object]:
    """End a meeting: its minutes are frozen."""
    return run_act(request, CloseMeeting, {"meeting": number})


@router.post("/meetings/{number}/corrections")
@for_action(Action.CHAIR_MEETING, find_lead_resource)
def add_correction(request: HttpRequest, number: int, body: MinutesCorrectionBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Add a correction below minutes."""
    return run_act(request, AddCorrection, {"meeting": number})


@router.post("/meetings/seats/{number}/advice")
@for_action(Action.TAKE_PART_IN_MEETING, find_seat_resource)
def write_advice(request: HttpRequest, number: int, body: AdviceBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Write advice as the Data Protection Officer."""
    return run_act(request, WriteAdvice, {"seat": number})


@router.post("/meetings/seats/{number}/dissent")
@for_action(Action.TAKE_PART_IN_MEETING, find_seat_resource)
def record_dissent(request: HttpRequest, number: int, body: DissentBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Record that one disagrees."""
    return run_act(request, RecordDissent, {"seat": number})


@router.post("/meetings/seats/{number}/signature")
@for_action(Action.SIGN_MINUTES, find_seat_resource)
def store_signature(request: HttpRequest, number: int, body: SignatureBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Confirm minutes, by their fingerprint."""
    return run_act(request, SignMinutes, {"seat": number})


@router.post("/meetings/seats/{number}/objection")
@for_action(Action.TAKE_PART_IN_MEETING, find_seat_resource)
def store_objection(request: HttpRequest, number: int, body: ObjectionBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Object to minutes within five working days."""
    return run_act(request, ObjectToMinutes, {"seat": number})


@router.post("/meeting-actions/{number}/done")
@for_action(Action.TAKE_PART_IN_MEETING, find_action_resource)
def finish_action(request: HttpRequest, number: int, body: DoneBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Note that one's own action is done."""
    return run_act(request, FinishAction, {"action": number})


@router.post("/meeting-actions/{number}/move")
@for_action(Action.TAKE_PART_IN_MEETING, find_action_resource)
def move_action(request: HttpRequest, number: int, body: ActionMoveBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Move one's own action, with a reason."""
    return run_act(request, MoveAction, {"action": number})


@router.post("/meeting-advice/{number}/answer")
@for_action(Action.ANSWER_ADVICE, find_advice_resource)
def store_answer(request: HttpRequest, number: int, body: AdviceAnswerBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Answer advice as the owner of the product."""
    return run_act(request, AnswerAdvice, {"advice": number})


def _serialize_action(row: MinutesEntry) -> dict[str, object]:
    return {
        "number": row.pk,
        "meeting": row.meeting_id,
        "product": row.meeting.product.slug,
        "text": row.text,
        "owner": row.owner.slug if row.owner is not None else None,
        "due_on": row.due_on.isoformat() if row.due_on else None,
        "done_on": row.done_on.isoformat() if row.done_on else None,
    }
