"""Pages of anonymous feedback: take a code as a person, answer by the code alone, read what was given in confidence."""

from typing import NamedTuple

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from muniment.access.actions import Action
from muniment.calendars.meetings import MeetingKind
from muniment.errors import ParseError, RefusedError
from muniment.server.acts.inputs.texts import read_visible_text
from muniment.server.acts.submission import INVALID, submit_act
from muniment.server.error_text import format_error_text
from muniment.server.guarding.mediation import current_actor, require_action
from muniment.server.meetings.models import MeetingAttendee, ProductMeeting
from muniment.server.meetings.views import find_meeting_resource, find_seat_resource
from muniment.server.minutes.views import find_lead_resource
from muniment.server.retros.feedback_acts import ShowFeedback
from muniment.server.retros.feedback_cells import AnswerSheet
from muniment.server.retros.feedback_rounds import (
    find_closing,
    is_feedback_closed,
    issue_code,
    read_least_answers,
    store_feedback_answer,
)
from muniment.server.retros.models import ConfidentialAnswer, FeedbackMood, FeedbackQuestion

_MOST = 1000
_DESTROY, _TO_DPO = "destroy", "dpo"


class ShownQuestion(NamedTuple):
    """Question with what was typed, so that a form that is not complete is shown again."""

    code: str
    label: str
    text: str


@require_POST
@require_action(Action.TAKE_PART_IN_MEETING, find_seat_resource)
def take_feedback_code(request: HttpRequest, number: int) -> HttpResponse:
    """Take a code, and show it once. This is no act: the record of one would stay, and this note is erased."""
    seat = get_object_or_404(MeetingAttendee.objects.select_related("meeting__product"), pk=number)
    try:
        code = issue_code(seat.meeting, current_actor(request).person)
    except RefusedError as error:
        messages.error(request, format_error_text(error))
        return redirect("retro", seat.meeting_id)
    spaced_code = "-".join(code[at : at + 4] for at in range(0, len(code), 4))
    context = {"meeting": seat.meeting.find_main(), "code": spaced_code}
    return render(request, "retros/feedback_code.html", context)


@csrf_exempt  # the code is the permission, and this page knows no cookie
@require_http_methods(["GET", "POST"])
def answer_feedback(request: HttpRequest, number: int) -> HttpResponse:
    """Answer by a code. Nothing but the code and the answers is read, and nothing is stored before they are sent."""
    meeting = ProductMeeting.objects.select_related("product").filter(pk=number, kind=MeetingKind.RETRO).first()
    if meeting is None:
        raise Http404
    if is_feedback_closed(meeting):
        return render(request, "retros/feedback_closed.html", {"meeting": meeting})
    problem = ""
    if request.method == "POST":
        try:
            store_feedback_answer(meeting, _read_code(request), _read_sheet(request))
            return render(request, "retros/feedback_sent.html", {"meeting": meeting})
        except (ParseError, RefusedError) as error:
            problem = format_error_text(error)
    context = {
        "meeting": meeting,
        "closing": find_closing(meeting),
        "least": read_least_answers(),
        "problem": problem,
        "code": request.POST.get("code", ""),
        "moods": FeedbackMood.choices,
        "mood": request.POST.get("mood", ""),
        "few": request.POST.get("few", ""),
        "questions": [
            ShownQuestion(code, str(text), request.POST.get(code, "")) for code, text in FeedbackQuestion.choices
        ],
    }
    return render(request, "retros/feedback.html", context, status=INVALID if problem else 200)


@require_POST
@require_action(Action.CHAIR_MEETING, find_lead_resource)
def show_feedback(request: HttpRequest, number: int) -> HttpResponse:
    """Show all answers at once, as the facilitator."""
    return submit_act(request, ShowFeedback, {"meeting": number}, _("Saved."), "retro", number)


@require_GET
@require_action(Action.WRITE_DPO_FEEDBACK, find_meeting_resource)
def show_confidential_answers(request: HttpRequest, number: int) -> HttpResponse:
    """Show the Data Protection Officer what was given in confidence."""
    meeting = get_object_or_404(ProductMeeting.objects.select_related("product"), pk=number, kind=MeetingKind.RETRO)
    rows = ConfidentialAnswer.objects.filter(meeting=meeting)
    return render(request, "retros/confidential.html", {"meeting": meeting, "answers": rows})


def _read_code(request: HttpRequest) -> str:
    text = read_visible_text(request.POST.get("code", ""), multiline=False)
    return text.replace("-", "").replace(" ", "").upper()


def _read_sheet(request: HttpRequest) -> AnswerSheet:
    """Answers of the form. Raises ParseError."""
    texts = {each.value: _read_text(request, each) for each in FeedbackQuestion}
    mood, few = request.POST.get("mood", ""), request.POST.get("few", "")
    if mood not in ("", *FeedbackMood.values) or not (mood or any(texts.values())):
        raise ParseError("missing", _("No question is answered."), _("Answer one question at least."))
    if few not in (_DESTROY, _TO_DPO):
        raise ParseError(
            "missing", _("You did not choose what happens with too few answers."), _("Choose one of both.")
        )
    return AnswerSheet(mood=mood, to_dpo=few == _TO_DPO, **texts)


def _read_text(request: HttpRequest, question: FeedbackQuestion) -> str:
    text = read_visible_text(request.POST.get(question.value, ""), multiline=True)
    if len(text) > _MOST:
        details = {"question": question.label, "most": _MOST}
        raise ParseError("too-long", _("%(question)s At most %(most)d characters.") % details, _("Shorten it."))
    return text
