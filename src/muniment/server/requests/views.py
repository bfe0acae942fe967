"""Page of a request that waits for a second person, or that was decided."""

from typing import NamedTuple

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from muniment.access.actions import Action
from muniment.access.authorization import AccessResult
from muniment.errors import RefusedError
from muniment.server.acts.fields import LONGEST_REASON
from muniment.server.acts.submission import INVALID
from muniment.server.error_text import format_error_text
from muniment.server.guarding.mediation import ask_second_factor, current_actor, find_own_resource, require_action
from muniment.server.people.models import Person
from muniment.server.people.names import parse_person_subject
from muniment.server.records.record_writing import action_code
from muniment.server.requests.approvers import check_approval, find_permission, may_see_request
from muniment.server.requests.execution import (
    approve_request,
    confirm_request,
    may_confirm_own,
    reject_request,
)
from muniment.server.requests.models import Request
from muniment.server.requests.request_details import describe_request
from muniment.server.requests.signature_status import read_signature_status

RECOVERY = action_code(Action.RECOVER_ACCOUNT)
APPROVE, REJECT, CONFIRM = "agree", "refuse", "confirm"  # the answers that the forms send


class DecisionForm(NamedTuple):
    """Decision as a person sent it, and what is wrong with it."""

    answer: str = ""
    reason: str = ""
    problem: str = ""


@require_http_methods(["GET", "POST"])
@require_action(Action.MANAGE_OWN_ACCOUNT, find_own_resource)
def decide_request(request: HttpRequest, number: int) -> HttpResponse:
    """Show a request, or approve, reject, withdraw or confirm it. The permission is checked once more, for exactly
    this.
    """
    rows = Request.objects.select_related("requester", "product", "second_person")
    found = get_object_or_404(rows, pk=number)
    if request.method == "POST":
        return _take_decision(request, found)
    return _show_request(request, found, DecisionForm())


def _show_request(request: HttpRequest, found: Request, form: DecisionForm, status: int = 200) -> HttpResponse:
    actor = current_actor(request)
    if not may_see_request(actor, found):
        raise Http404
    waits = found.state == Request.State.WAITING
    own = found.requester.pk == actor.person
    action, _resource = find_permission(found)
    context = {
        "row": found,
        "details": describe_request(found, actor),
        "own": own,
        "waits": waits,
        "may_decide": waits and not own and check_approval(actor, found) is not AccessResult.SUSPENDED,
        "second_roles": ", ".join(sorted(_(role.label) for role in action.rule.second)),
        "signing": read_signature_status(found, actor.person) if waits else None,
        "carries_out": waits and own and may_confirm_own(found),
        "form": form,
        "longest_reason": LONGEST_REASON,
    }
    return render(request, "requests/request.html", context, status=status)


def _take_decision(request: HttpRequest, found: Request) -> HttpResponse:
    actor = current_actor(request)
    answer, reason = str(request.POST.get("answer", "")), str(request.POST.get("reason", "")).strip()
    if answer == CONFIRM:
        return _confirm_request(request, found)
    why = check_approval(actor, found)
    if why is AccessResult.SUSPENDED:
        messages.error(request, _("Your account was recovered less than a day ago: your approvals do not count yet."))
        return redirect("me")
    if why is AccessResult.NO_SECOND_FACTOR:
        return ask_second_factor(request)
    own = found.requester.pk == actor.person
    problem = _find_problem(answer, reason, needs_reason=why is AccessResult.YES)
    if problem and found.state == Request.State.WAITING:
        return _show_request(request, found, DecisionForm(answer, reason, problem), INVALID)
    result: object = None
    try:
        with transaction.atomic():
            if answer == APPROVE:
                result = approve_request(actor, found, reason)
            else:
                reject_request(actor, found, reason)
    except RefusedError as error:
        messages.error(request, format_error_text(error))
    else:
        if answer == APPROVE and found.action == RECOVERY:  # the link is shown once, to the one who approved it
            person = Person.objects.get(pk=parse_person_subject(found.subject))
            link = request.build_absolute_uri(str(result))
            return render(request, "people/invited.html", {"person": person, "link": link})
        rejected = _("The request is withdrawn.") if own else _("The request is rejected. Nothing was changed.")
        messages.success(request, _("Approved.") if answer == APPROVE else rejected)
    return redirect("decide", found.pk)


def _find_problem(answer: str, reason: str, *, needs_reason: bool) -> str:
    """Sentence about a decision that cannot be taken, "" for one that can."""
    if answer not in (APPROVE, REJECT):
        return _("Choose whether you approve or reject.")
    if len(reason) > LONGEST_REASON:
        return _("The reason has more than %(most)d characters: make it shorter.") % {"most": LONGEST_REASON}
    if answer == REJECT and needs_reason and not reason:
        return _("Write a reason: the requester reads it.")
    return ""


def _confirm_request(request: HttpRequest, found: Request) -> HttpResponse:
    """Confirm a request that one made with an API token."""
    if not current_actor(request).second_factor:
        return ask_second_factor(request)
    try:
        with transaction.atomic():
            confirm_request(current_actor(request), found)
    except RefusedError as error:
        messages.error(request, format_error_text(error))
    else:
        messages.success(request, _("Confirmed. It waits for a second person now."))
    return redirect("decide", found.pk)
