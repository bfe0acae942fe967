"""Pages of guests: those of the chair, and the page behind the link of a guest, who has no account."""

from typing import Any, NamedTuple

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from muniment.access.actions import Action
from muniment.access.authorization import AccessResult, Resource, authorize
from muniment.errors import MunimentError, ParseError, RefusedError
from muniment.server.acts.inputs.texts import read_visible_text
from muniment.server.acts.submission import INVALID, submit_act
from muniment.server.error_text import format_error_text
from muniment.server.guarding.mediation import current_actor, require_action
from muniment.server.meetings.models import ProductMeeting
from muniment.server.minutes.taking_part import find_lead
from muniment.server.minutes.views import find_lead_resource
from muniment.server.reviews.guest_acts import EndGuestInvitation, InviteGuest
from muniment.server.reviews.guests import (
    CODE_MINUTES,
    COOKIE,
    COOKIE_SECONDS,
    can_answer,
    enter_code,
    find_guest,
    find_wishes,
    is_code_waiting,
    is_proven,
    request_code,
    store_answers,
)
from muniment.server.reviews.models import GUEST_CHOICES, GuestAnswer, GuestQuestion, ReviewGuest
from muniment.server.reviews.views import find_meeting_product

_MOST = 1000  # characters of an answer
_PATH = "/guests/"


class ShownGuestQuestion(NamedTuple):
    """Question with its choices, () for a text, and the answer, "" for none."""

    code: str
    label: str
    choices: tuple[tuple[str, str], ...]
    answer: str


def find_guest_resource(request: HttpRequest, number: int, **_: Any) -> Resource:
    """Person who leads the review of a guest. Raises Http404, for everybody alike, if there is no such guest."""
    found = ReviewGuest.objects.select_related("meeting").filter(pk=number).first()
    if found is None:
        raise Http404
    return Resource(owner=find_lead(found.meeting))


@require_GET
@require_action(Action.SEE_MEETINGS, find_meeting_product)
def list_guests(request: HttpRequest, number: int) -> HttpResponse:
    """List the guests of a review. Their addresses are shown to the chair alone."""
    meeting = get_object_or_404(ProductMeeting.objects.select_related("product"), pk=number)
    allowed = authorize(current_actor(request), Action.CHAIR_MEETING, Resource(owner=find_lead(meeting)))
    context = {
        "meeting": meeting,
        "guests": meeting.guests.filter(ended_at=None).prefetch_related("answers"),
        "is_lead": allowed in (AccessResult.YES, AccessResult.NO_SECOND_FACTOR),
        "is_waiting": meeting.is_open and not hasattr(meeting, "held_minutes"),
    }
    return render(request, "reviews/guests.html", context)


@require_POST
@require_action(Action.CHAIR_MEETING, find_lead_resource)
def invite_guest(request: HttpRequest, number: int) -> HttpResponse:
    """Invite a guest to a review."""
    done = _("Invited. The link is mailed now.")
    return submit_act(request, InviteGuest, {"meeting": number}, done, "review-guests", number)


@require_POST
@require_action(Action.CHAIR_MEETING, find_guest_resource)
def end_guest(request: HttpRequest, number: int) -> HttpResponse:
    """End the invitation of a guest."""
    meeting = ReviewGuest.objects.values_list("meeting", flat=True).get(pk=number)
    return submit_act(request, EndGuestInvitation, {"guest": number}, _("Ended."), "review-guests", meeting)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def show_guest_page(request: HttpRequest, token: str) -> HttpResponse:
    """Page behind the link of a guest: a code, then the questions. GET and HEAD change nothing."""
    guest = find_guest(token)
    if guest is None:
        return render(request, "reviews/guest_over.html", status=404)
    proven = is_proven(guest, request.COOKIES.get(COOKIE, ""))
    if request.method == "POST":
        try:
            return _change_as_guest(request, guest, token, proven=proven)
        except (ParseError, RefusedError) as error:
            return _render_page(request, guest, proven=proven, problem=error)
    return _render_page(request, guest, proven=proven)


def _change_as_guest(request: HttpRequest, guest: ReviewGuest, token: str, *, proven: bool) -> HttpResponse:
    act = request.POST.get("act", "")
    if act == "answer" and proven:
        store_answers(guest, {each: _read_answer(request, each) for each in GuestQuestion})
        return render(request, "reviews/guest_sent.html", {"guest": guest, "token": token})
    response = redirect("guest", token)
    if act == "enter-code":
        code = read_visible_text(request.POST.get("code", ""), multiline=False)
        value = enter_code(guest, code)
        secure = settings.SESSION_COOKIE_SECURE
        response.set_cookie(COOKIE, value, COOKIE_SECONDS, path=_PATH, secure=secure, httponly=True, samesite="Lax")
    elif act == "send-code":
        request_code(guest)
    return response


def _render_page(
    request: HttpRequest, guest: ReviewGuest, *, proven: bool, problem: MunimentError | None = None
) -> HttpResponse:
    text = format_error_text(problem) if problem is not None else ""
    context = {"guest": guest, "meeting": guest.meeting, "problem": text}
    status = INVALID if problem is not None else 200
    if not proven:
        context |= {"address": _mask_address(guest.email), "minutes": CODE_MINUTES, "has_code": is_code_waiting(guest)}
        return render(request, "reviews/guest_code.html", context, status=status)
    context |= {
        "wishes": find_wishes(guest),
        "questions": _list_questions(request, guest),
        "may_answer": can_answer(guest),
    }
    return render(request, "reviews/guest.html", context, status=status)


def _list_questions(request: HttpRequest, guest: ReviewGuest) -> list[ShownGuestQuestion]:
    stored = dict(GuestAnswer.objects.filter(guest=guest).values_list("question", "text"))
    return [
        ShownGuestQuestion(
            each.value,
            str(each.label),
            tuple((value, str(label)) for value, label in GUEST_CHOICES.get(each, ())),
            request.POST.get(each.value, stored.get(each.value, "")),
        )
        for each in GuestQuestion
    ]


def _read_answer(request: HttpRequest, question: GuestQuestion) -> str:
    """Answer of the form, "" for none. Raises ParseError."""
    text = read_visible_text(request.POST.get(question.value, ""), multiline=True).strip()
    choices = dict(GUEST_CHOICES.get(question, ()))
    if choices and text and text not in choices:
        raise ParseError("malformed", _("This is none of the answers."), _("Choose one that the page shows."))
    if len(text) > _MOST:
        details = {"question": question.label, "most": _MOST}
        raise ParseError("too-long", _("%(question)s At most %(most)d characters.") % details, _("Shorten it."))
    return text


def _mask_address(address: str) -> str:
    """Address of which a reader of the link learns no more than its first and last letter and the host."""
    name, _at, host = address.partition("@")
    return f"{name[:1]}…{name[-1:]}@{host}"
