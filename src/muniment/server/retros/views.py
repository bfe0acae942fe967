"""Pages of retros: the list, the board, what is decided, and improvements of all products."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.calendars.meetings import MeetingKind
from muniment.server.acts.act import Act
from muniment.server.acts.submission import submit_act
from muniment.server.guarding.mediation import current_actor, find_no_resource, require_action
from muniment.server.meetings.models import MeetingAttendee, ProductMeeting
from muniment.server.meetings.views import find_meeting_resource, find_seat_resource
from muniment.server.minutes.meeting_list import MeetingListTexts, render_meeting_list
from muniment.server.minutes.views import find_lead_resource
from muniment.server.page_lists import page_by_id
from muniment.server.products.visible_products import active_products
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
from muniment.server.retros.improvement_acts import (
    CarryOverImprovement,
    DecideImprovement,
    NoteResult,
    PlanImprovement,
    StateHours,
)
from muniment.server.retros.models import Improvement, ImprovementResult, RetroThreat
from muniment.server.retros.quarters import list_quarters, read_quarters
from muniment.server.retros.retro_page import read_decisions_page, read_retro_page
from muniment.server.retros.schedule import export_calendar
from muniment.server.retros.threat_acts import AcceptThreat, AssessThreat

_CARD_ACTS = (AddCard, GroupCards, UngroupCard, VoteForCard, WithdrawVote, FinishPhase, AnswerWorth)
_DECISION_ACTS = (AssessThreat, DecideImprovement, CarryOverImprovement, StateHours, PlanImprovement)
_SHOWN = 200
_QUARTERS = 6
_LIST_TEXTS = MeetingListTexts(
    coming=gettext_lazy("Next retros"),
    none_planned=gettext_lazy("No retro is planned"),
    none_held=gettext_lazy("No retro was held yet."),
    button=gettext_lazy("Open board"),
    icon="messages",
    address="retro",
)


def find_threat_resource(request: HttpRequest, number: int, **_: object) -> Resource:
    """Product of a threat. Raises Http404, for everybody alike, if there is no such threat."""
    found = RetroThreat.objects.select_related("meeting__product").filter(pk=number).first()
    if found is None:
        raise Http404
    return found.meeting.product_resource


def find_improvement_resource(request: HttpRequest, number: int, **_: object) -> Resource:
    """Person who owns an improvement. Raises Http404, for everybody alike, if there is none."""
    found = Improvement.objects.filter(pk=number).values_list("owner", flat=True).first()
    if found is None:
        raise Http404
    return Resource(owner=found)


@require_GET
@require_action(Action.SEE_MEETINGS, find_no_resource)
def show_retro_list(request: HttpRequest) -> HttpResponse:
    """Show the retros to come, and those that were held with their minutes."""
    return render_meeting_list(request, MeetingKind.RETRO, "retros/list.html", _LIST_TEXTS)


@require_GET
@require_action(Action.SEE_MEETINGS, find_meeting_resource)
def show_board(request: HttpRequest, number: int) -> HttpResponse:
    """Show the board of a retro in the phase that everybody sees."""
    return render(request, "retros/board.html", read_retro_page(request, _find_retro(number)))


@require_GET
@require_action(Action.SEE_MEETINGS, find_meeting_resource)
def show_decisions(request: HttpRequest, number: int) -> HttpResponse:
    """Show threats, improvements and the schedule of a retro, with their forms."""
    return render(request, "retros/decisions.html", read_decisions_page(request, _find_retro(number)))


@require_GET
@require_action(Action.SEE_MEETINGS, find_meeting_resource)
def export_schedule(request: HttpRequest, number: int) -> HttpResponse:
    """Export the schedule of a retro as iCalendar."""
    answer = HttpResponse(export_calendar(_find_retro(number)), content_type="text/calendar; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="schedule-{number}.ics"'
    return answer


@require_POST
@require_action(Action.TAKE_PART_IN_MEETING, find_seat_resource)
def change_cards(request: HttpRequest, number: int) -> HttpResponse:
    """Add a card, put cards together, vote, or say that one is done."""
    return _submit_for_seat(request, _CARD_ACTS, number, "retro")


@require_POST
@require_action(Action.TAKE_PART_IN_MEETING, find_seat_resource)
def change_decisions(request: HttpRequest, number: int) -> HttpResponse:
    """Add a threat or an improvement, carry one over, or plan it."""
    return _submit_for_seat(request, _DECISION_ACTS, number, "retro-decisions")


@require_POST
@require_action(Action.CHAIR_MEETING, find_lead_resource)
def lead_retro(request: HttpRequest, number: int) -> HttpResponse:
    """Go to a phase, or remove a card, as the facilitator."""
    return submit_act(request, (GoToPhase, RemoveCard), {"meeting": number}, _("Saved."), "retro", number)


@require_POST
@require_action(Action.WRITE_DPO_FEEDBACK, find_meeting_resource)
def write_dpo_feedback(request: HttpRequest, number: int) -> HttpResponse:
    """Give feedback as the Data Protection Officer."""
    return submit_act(request, WriteDpoFeedback, {"meeting": number}, _("Saved."), "retro", number)


@require_POST
@require_action(Action.ACCEPT_THREAT, find_threat_resource)
def accept_threat(request: HttpRequest, number: int) -> HttpResponse:
    """Accept a threat as the owner of the product."""
    meeting = get_object_or_404(RetroThreat, pk=number).meeting_id
    return submit_act(request, AcceptThreat, {"threat": number}, _("Accepted."), "retro-decisions", meeting)


@require_GET
@require_action(Action.SEE_MEETINGS, find_no_resource)
def show_improvements(request: HttpRequest) -> HttpResponse:
    """Show the improvements of all visible products: those without a result, and what became of the others."""
    rows = visible_improvements(current_actor(request)).filter(carried_to=None)
    rows = rows.select_related("owner", "meeting__product")
    context = {
        "waiting": rows.filter(result="").order_by("look_on", "pk")[:_SHOWN],
        "page": page_by_id(request, rows.exclude(result="")),
        "own": current_actor(request).person,
        "results": ImprovementResult.choices,
    }
    return render(request, "retros/improvements.html", context)


@require_POST
@require_action(Action.TAKE_PART_IN_MEETING, find_improvement_resource)
def note_result(request: HttpRequest, number: int) -> HttpResponse:
    """Say what became of one's own improvement."""
    return submit_act(request, NoteResult, {"improvement": number}, _("Saved."), "improvements")


def _find_retro(number: int) -> ProductMeeting:
    return get_object_or_404(ProductMeeting.objects.select_related("product"), pk=number, kind=MeetingKind.RETRO)


def _submit_for_seat(request: HttpRequest, acts: tuple[type[Act], ...], number: int, page: str) -> HttpResponse:
    meeting = MeetingAttendee.objects.values_list("meeting", flat=True).get(pk=number)
    return submit_act(request, acts, {"seat": number}, _("Saved."), page, meeting)


@require_GET
@require_action(Action.SEE_MEETINGS, find_no_resource)
def show_quarters(request: HttpRequest) -> HttpResponse:
    """Show figures over quarters, of one product or of all that the reader may see; of no person."""
    products = active_products(current_actor(request))
    chosen = products.filter(slug=request.GET.get("product", "")).first()
    selection = products.filter(pk=chosen.pk) if chosen is not None else products
    context = {
        "products": products,
        "chosen": chosen,
        "figures": read_quarters(selection, list_quarters(timezone.localdate(), _QUARTERS)),
    }
    return render(request, "retros/quarters.html", context)
