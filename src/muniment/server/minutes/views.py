"""Pages of a meeting that is held, of its minutes, and of one's own actions."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.access.roles import Role
from muniment.errors import RefusedError
from muniment.server.acts.act import Act
from muniment.server.acts.submission import submit_act
from muniment.server.error_text import format_error_text
from muniment.server.guarding.mediation import current_actor, find_own_resource, require_action
from muniment.server.meetings.models import ProductMeeting
from muniment.server.meetings.views import find_meeting_resource, find_seat_resource
from muniment.server.minutes.act_fields import find_entry_resource
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
from muniment.server.minutes.management_advice import AdviseManagement
from muniment.server.minutes.minutes_page import read_held_page, read_minutes_page
from muniment.server.minutes.minutes_record import read_record_page
from muniment.server.minutes.models import EntryKind, ManagementAdvice, Minutes, MinutesEntry, find_open_actions
from muniment.server.minutes.own_acts import (
    AnswerAdvice,
    FinishAction,
    MoveAction,
    ObjectToMinutes,
    RecordDissent,
    SignMinutes,
    WriteAdvice,
)
from muniment.server.minutes.record_document import build_document, make_pdf
from muniment.server.minutes.taking_part import find_lead
from muniment.server.people.messages import find_role_holders
from muniment.server.products.models import Product
from muniment.server.products.views import could_with_second_factor, find_product_resource

_CHAIR_ACTS = (
    *(OpenMeeting, FinishItem, FinishUnchanged, DeferItem, RecordDecision, AddAction, ConfirmAttendance),
    CloseMeeting,
)
_DONE_SHOWN = 50


def find_lead_resource(request: HttpRequest, number: int, **_: object) -> Resource:
    """Person who leads a meeting. Raises Http404, for everybody alike, if there is no such meeting."""
    found = ProductMeeting.objects.filter(pk=number).first()
    if found is None:
        raise Http404
    return Resource(owner=find_lead(found))


def find_action_resource(request: HttpRequest, number: int, **_: object) -> Resource:
    """Person who owns an action. Raises Http404, for everybody alike, if there is no such action."""
    return Resource(owner=_find_entry(number).owner_id or "")


def find_advice_resource(request: HttpRequest, number: int, **_: object) -> Resource:
    """Product that advice is about. Raises Http404, for everybody alike, if there is none."""
    return find_entry_resource(_find_entry(number))


def _find_entry(number: int) -> MinutesEntry:
    return get_object_or_404(MinutesEntry.objects.select_related("meeting__product"), pk=number)


@require_GET
@require_action(Action.SEE_MEETINGS, find_meeting_resource)
def show_held_meeting(request: HttpRequest, number: int) -> HttpResponse:
    """Show the meeting in progress: one item at a time."""
    row = get_object_or_404(ProductMeeting.objects.select_related("product"), pk=number)
    minutes = Minutes.objects.filter(meeting=row).first()
    if minutes is not None and minutes.is_closed:
        return redirect("minutes", number)
    return render(request, "minutes/meeting.html", read_held_page(request, row, minutes))


@require_POST
@require_action(Action.CHAIR_MEETING, find_lead_resource)
def lead_meeting(request: HttpRequest, number: int) -> HttpResponse:
    """Open or end the meeting, or record something, as the person who leads it."""
    return submit_act(request, _CHAIR_ACTS, {"meeting": number}, _("Saved."), "held-meeting", number)


@require_GET
@require_action(Action.SEE_MEETINGS, find_meeting_resource)
def show_minutes_record(request: HttpRequest, number: int) -> HttpResponse:
    """Show the whole record of a meeting on one page, for an auditor: to read, print or save."""
    minutes = get_object_or_404(Minutes.objects.select_related("meeting__product"), meeting=number)
    if not minutes.is_closed:
        return redirect("held-meeting", number)
    return render(request, "minutes/record.html", read_record_page(request, minutes))


@require_GET
@require_action(Action.SEE_MEETINGS, find_meeting_resource)
def download_minutes_record(request: HttpRequest, number: int) -> HttpResponse:
    """Download the whole record of a meeting as a PDF/A file."""
    minutes = get_object_or_404(Minutes.objects.select_related("meeting__product"), meeting=number)
    if minutes.closed_at is None:
        return redirect("held-meeting", number)
    try:
        content = make_pdf(build_document(read_record_page(request, minutes)), minutes.closed_at)
    except RefusedError as error:
        messages.error(request, format_error_text(error))
        return redirect("minutes-record", number)
    answer = HttpResponse(content, content_type="application/pdf")
    name = minutes.meeting.lasting_key.replace("/", "-")
    answer["Content-Disposition"] = f'attachment; filename="minutes-{name}.pdf"'
    return answer


@require_POST
@require_action(Action.CHAIR_MEETING, find_lead_resource)
def correct_minutes(request: HttpRequest, number: int) -> HttpResponse:
    """Add a correction to minutes."""
    return submit_act(request, AddCorrection, {"meeting": number}, _("Added."), "minutes", number)


@require_GET
@require_action(Action.SEE_MEETINGS, find_meeting_resource)
def show_minutes(request: HttpRequest, number: int) -> HttpResponse:
    """Show the minutes of a meeting that has ended, with its signatures."""
    minutes = get_object_or_404(Minutes.objects.select_related("meeting__product"), meeting=number)
    if not minutes.is_closed:
        return redirect("held-meeting", number)
    return render(request, "minutes/minutes.html", read_minutes_page(request, minutes))


def _submit_for_seat(request: HttpRequest, acts: tuple[type[Act], ...], number: int, page: str) -> HttpResponse:
    meeting = ProductMeeting.objects.values_list("pk", flat=True).get(attendees=number)
    return submit_act(request, acts, {"seat": number}, _("Saved."), page, meeting)


@require_POST
@require_action(Action.TAKE_PART_IN_MEETING, find_seat_resource)
def write_entry(request: HttpRequest, number: int) -> HttpResponse:
    """Write advice or dissent into the minutes."""
    return _submit_for_seat(request, (WriteAdvice, RecordDissent), number, "held-meeting")


@require_POST
@require_action(Action.TAKE_PART_IN_MEETING, find_seat_resource)
def object_to_minutes(request: HttpRequest, number: int) -> HttpResponse:
    """Object to the minutes of a meeting."""
    return _submit_for_seat(request, (ObjectToMinutes,), number, "minutes")


@require_POST
@require_action(Action.SIGN_MINUTES, find_seat_resource)
def sign_minutes(request: HttpRequest, number: int) -> HttpResponse:
    """Confirm the minutes of a meeting."""
    return _submit_for_seat(request, (SignMinutes,), number, "minutes")


@require_GET
@require_action(Action.MANAGE_OWN_ACCOUNT, find_own_resource)
def list_own_actions(request: HttpRequest) -> HttpResponse:
    """List one's own actions, the first due on top, and those that are done."""
    own = current_actor(request).person
    done = MinutesEntry.objects.filter(owner=own, done_on__isnull=False).select_related("meeting__product")
    context = {"actions": find_open_actions().filter(owner=own), "done": done.order_by("-done_on", "-pk")[:_DONE_SHOWN]}
    return render(request, "minutes/actions.html", context)


@require_POST
@require_action(Action.TAKE_PART_IN_MEETING, find_action_resource)
def change_action(request: HttpRequest, number: int) -> HttpResponse:
    """Note that one's own action is done, or move it."""
    return submit_act(request, (FinishAction, MoveAction), {"action": number}, _("Saved."), "actions")


@require_GET
@require_action(Action.SEE_MEETINGS, find_product_resource)
def show_product_advice(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the advice of the Data Protection Officer on a product, and what became of it."""
    product = get_object_or_404(Product, slug=slug)
    rows = MinutesEntry.objects.filter(meeting__product=product, kind=EntryKind.ADVICE)
    may_advise = could_with_second_factor(request, Action.WRITE_DPO_FEEDBACK, slug)
    own = current_actor(request).person
    reads = may_advise or find_role_holders((Role.MANAGEMENT,), product).filter(pk=own).exists()
    context = {
        "product": product,
        "entries": rows.select_related("author", "meeting").order_by("-pk")[:_DONE_SHOWN],
        "may_answer_advice": could_with_second_factor(request, Action.ANSWER_ADVICE, slug),
        "may_advise": may_advise,
        "reads_management_advice": reads,
        "to_management": ManagementAdvice.objects.filter(product=product).select_related("person") if reads else (),
    }
    return render(request, "minutes/advice.html", context)


@require_POST
@require_action(Action.WRITE_DPO_FEEDBACK, find_product_resource)
def advise_management(request: HttpRequest, slug: str) -> HttpResponse:
    """Send advice to management directly."""
    return submit_act(request, AdviseManagement, {"product": slug}, _("Sent."), "product-advice", slug)


@require_POST
@require_action(Action.ANSWER_ADVICE, find_advice_resource)
def answer_advice(request: HttpRequest, number: int) -> HttpResponse:
    """Answer advice as the owner of the product."""
    meeting = _find_entry(number).meeting_id
    return submit_act(request, AnswerAdvice, {"advice": number}, _("Saved."), "held-meeting", meeting)
