"""Retros, threats and improvements, as programs see them."""

from django.http import HttpRequest
from ninja import Query, Router

from muniment.access.actions import Action
from muniment.server.acts.schemas import build_body_schema
from muniment.server.api_operations import Cursor, for_action, page_by_number, run_act
from muniment.server.guarding.mediation import current_actor, find_no_resource
from muniment.server.meetings.views import find_meeting_resource, find_seat_resource
from muniment.server.minutes.views import find_lead_resource
from muniment.server.retros.act_fields import visible_improvements
from muniment.server.retros.card_acts import (
    AddCard,
    AnswerWorth,
    FinishPhase,
    GoToPhase,
    GroupCards,
    RemoveCard,
    UngroupCard,
    VoteForCard,
    WithdrawVote,
    WriteDpoFeedback,
)
from muniment.server.retros.feedback_acts import ShowFeedback
from muniment.server.retros.improvement_acts import (
    CarryOverImprovement,
    DecideImprovement,
    NoteResult,
    PlanImprovement,
    StateHours,
)
from muniment.server.retros.models import Improvement
from muniment.server.retros.threat_acts import AcceptThreat, AssessThreat
from muniment.server.retros.views import find_improvement_resource, find_threat_resource

router = Router()

# types that are made at run time, from the fields of the acts
_SEAT, _MEETING = ("seat",), ("meeting",)
AddCardBody = build_body_schema(AddCard, fixed=_SEAT)
GroupCardsBody = build_body_schema(GroupCards, fixed=_SEAT)
UngroupCardBody = build_body_schema(UngroupCard, fixed=_SEAT)
VoteForCardBody = build_body_schema(VoteForCard, fixed=_SEAT)
WithdrawVoteBody = build_body_schema(WithdrawVote, fixed=_SEAT)
FinishPhaseBody = build_body_schema(FinishPhase, fixed=_SEAT)
AnswerWorthBody = build_body_schema(AnswerWorth, fixed=_SEAT)
AssessThreatBody = build_body_schema(AssessThreat, fixed=_SEAT)
DecideImprovementBody = build_body_schema(DecideImprovement, fixed=_SEAT)
CarryOverImprovementBody = build_body_schema(CarryOverImprovement, fixed=_SEAT)
StateHoursBody = build_body_schema(StateHours, fixed=_SEAT)
PlanImprovementBody = build_body_schema(PlanImprovement, fixed=_SEAT)
GoToPhaseBody = build_body_schema(GoToPhase, fixed=_MEETING)
RemoveCardBody = build_body_schema(RemoveCard, fixed=_MEETING)
WriteDpoFeedbackBody = build_body_schema(WriteDpoFeedback, fixed=_MEETING)
NoteResultBody = build_body_schema(NoteResult, fixed=("improvement",))


@router.get("/improvements")
@for_action(Action.SEE_MEETINGS, find_no_resource)
def list_all_improvements(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, object]:
    """List the improvements that the token may see."""
    rows = visible_improvements(current_actor(request)).select_related("owner", "meeting__product")
    return page_by_number(rows, cursor, _serialize_improvement)


@router.post("/retros/seats/{number}/cards")
@for_action(Action.TAKE_PART_IN_MEETING, find_seat_resource)
def add_card(request: HttpRequest, number: int, body: AddCardBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Add a card under one's own name."""
    return run_act(request, AddCard, {"seat": number})


@router.post("/retros/seats/{number}/groups")
@for_action(Action.TAKE_PART_IN_MEETING, find_seat_resource)
def group_cards(request: HttpRequest, number: int, body: GroupCardsBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Put two cards together."""
    return run_act(request, GroupCards, {"seat": number})


@router.post("/retros/seats/{number}/groups/end")
@for_action(Action.TAKE_PART_IN_MEETING, find_seat_resource)
def ungroup_card(request: HttpRequest, number: int, body: UngroupCardBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Take a card out of its group."""
    return run_act(request, UngroupCard, {"seat": number})


@router.post("/retros/seats/{number}/votes")
@for_action(Action.TAKE_PART_IN_MEETING, find_seat_resource)
def vote_for_card(request: HttpRequest, number: int, body: VoteForCardBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Vote for a card."""
    return run_act(request, VoteForCard, {"seat": number})


@router.post("/retros/seats/{number}/votes/withdraw")
@for_action(Action.TAKE_PART_IN_MEETING, find_seat_resource)
def withdraw_vote(request: HttpRequest, number: int, body: WithdrawVoteBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Withdraw a vote for a card."""
    return run_act(request, WithdrawVote, {"seat": number})


@router.post("/retros/seats/{number}/phases/done")
@for_action(Action.TAKE_PART_IN_MEETING, find_seat_resource)
def finish_phase(request: HttpRequest, number: int, body: FinishPhaseBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Note that one is done with a phase."""
    return run_act(request, FinishPhase, {"seat": number})


@router.post("/retros/seats/{number}/worth")
@for_action(Action.TAKE_PART_IN_MEETING, find_seat_resource)
def answer_worth(request: HttpRequest, number: int, body: AnswerWorthBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Answer whether the retro was worth the time."""
    return run_act(request, AnswerWorth, {"seat": number})


@router.post("/retros/seats/{number}/threats")
@for_action(Action.TAKE_PART_IN_MEETING, find_seat_resource)
def assess_threat(request: HttpRequest, number: int, body: AssessThreatBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Add a threat with its assessment."""
    return run_act(request, AssessThreat, {"seat": number})


@router.post("/retros/seats/{number}/improvements")
@for_action(Action.TAKE_PART_IN_MEETING, find_seat_resource)
def decide_improvement(request: HttpRequest, number: int, body: DecideImprovementBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Decide an improvement with its metric."""
    return run_act(request, DecideImprovement, {"seat": number})


@router.post("/retros/seats/{number}/improvements/carry-over")
@for_action(Action.TAKE_PART_IN_MEETING, find_seat_resource)
def carry_over_improvement(request: HttpRequest, number: int, body: CarryOverImprovementBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Carry an earlier improvement over."""
    return run_act(request, CarryOverImprovement, {"seat": number})


@router.post("/retros/seats/{number}/hours")
@for_action(Action.TAKE_PART_IN_MEETING, find_seat_resource)
def state_hours(request: HttpRequest, number: int, body: StateHoursBody) -> dict[str, object]:  # type: ignore[valid-type]
    """State the hours a week for improvements."""
    return run_act(request, StateHours, {"seat": number})


@router.post("/retros/seats/{number}/improvements/plan")
@for_action(Action.TAKE_PART_IN_MEETING, find_seat_resource)
def plan_improvement(request: HttpRequest, number: int, body: PlanImprovementBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Plan the days of an improvement."""
    return run_act(request, PlanImprovement, {"seat": number})


@router.post("/retros/{number}/phase")
@for_action(Action.CHAIR_MEETING, find_lead_resource)
def go_to_phase(request: HttpRequest, number: int, body: GoToPhaseBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Go to a phase of a retro."""
    return run_act(request, GoToPhase, {"meeting": number})


@router.post("/retros/{number}/cards/remove")
@for_action(Action.CHAIR_MEETING, find_lead_resource)
def remove_card(request: HttpRequest, number: int, body: RemoveCardBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Remove a card that attacks a person."""
    return run_act(request, RemoveCard, {"meeting": number})


@router.post("/retros/{number}/dpo-feedback")
@for_action(Action.WRITE_DPO_FEEDBACK, find_meeting_resource)
def store_dpo_feedback(request: HttpRequest, number: int, body: WriteDpoFeedbackBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Give feedback as the Data Protection Officer."""
    return run_act(request, WriteDpoFeedback, {"meeting": number})


@router.post("/retros/{number}/answers")
@for_action(Action.CHAIR_MEETING, find_lead_resource)
def store_feedback_closing(request: HttpRequest, number: int) -> dict[str, object]:
    """Show all anonymous answers at once, after the closing."""
    return run_act(request, ShowFeedback, {"meeting": number})


@router.post("/threats/{number}/accept")
@for_action(Action.ACCEPT_THREAT, find_threat_resource)
def store_acceptance(request: HttpRequest, number: int) -> dict[str, object]:
    """Accept a threat until its day of review."""
    return run_act(request, AcceptThreat, {"threat": number})


@router.post("/improvements/{number}/result")
@for_action(Action.TAKE_PART_IN_MEETING, find_improvement_resource)
def store_result(request: HttpRequest, number: int, body: NoteResultBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Say what became of one's own improvement."""
    return run_act(request, NoteResult, {"improvement": number})


def _serialize_improvement(row: Improvement) -> dict[str, object]:
    return {
        "number": row.pk,
        "meeting": row.meeting_id,
        "product": row.meeting.product.slug,
        "kind": row.kind,
        "text": row.text,
        "owner": row.owner.slug,
        "metric": row.metric,
        "before": row.before,
        "target": row.target,
        "after": row.after,
        "result": row.result,
        "look_on": row.look_on.isoformat(),
    }
