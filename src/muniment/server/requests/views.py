"""Pages of requests that wait for a second person."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from muniment.access.actions import Action
from muniment.access.authorization import AccessResult
from muniment.errors import RefusedError
from muniment.server.error_text import format_error_text
from muniment.server.guarding.mediation import current_actor, find_own_resource, require_action
from muniment.server.people.models import Person
from muniment.server.people.names import parse_person_subject
from muniment.server.records.record_writing import action_code
from muniment.server.requests.approvers import check_approval
from muniment.server.requests.execution import (
    approve_request,
    confirm_request,
    reject_request,
)
from muniment.server.requests.models import Request
from muniment.server.routes import SECOND_FACTOR

RECOVERY = action_code(Action.RECOVER_ACCOUNT)


@require_POST
@require_action(Action.MANAGE_OWN_ACCOUNT, find_own_resource)
def decide_request(request: HttpRequest, number: int) -> HttpResponse:
    """Approve, reject, withdraw or confirm a request. The permission is checked once more, for exactly this."""
    found = get_object_or_404(Request.objects.select_related("requester", "product"), pk=number)
    actor, yes = current_actor(request), request.POST.get("answer") == "agree"
    if request.POST.get("answer") == "confirm":
        return _confirm_request(request, found)
    why = check_approval(actor, found)
    if why is AccessResult.SUSPENDED:
        messages.error(request, _("Your account was recovered less than a day ago: your approvals do not count yet."))
        return redirect("me")
    if why is AccessResult.NO_SECOND_FACTOR:
        messages.info(request, _("This takes a second factor: a passkey, or a code from an app."))
        return redirect(SECOND_FACTOR)
    result: object = None
    try:
        with transaction.atomic():
            if yes:
                result = approve_request(actor, found)
            else:
                reject_request(actor, found, str(request.POST.get("reason", ""))[:2000])
    except RefusedError as error:
        messages.error(request, format_error_text(error))
    else:
        if yes and found.action == RECOVERY:  # the link is shown once, to the one who approved it
            person = Person.objects.get(pk=parse_person_subject(found.subject))
            link = request.build_absolute_uri(str(result))
            return render(request, "people/invited.html", {"person": person, "link": link})
        messages.success(request, _("Done.") if yes else _("It will not be done."))
    return redirect("home")


def _confirm_request(request: HttpRequest, found: Request) -> HttpResponse:
    """Confirm a request that one made with an API token."""
    if not current_actor(request).second_factor:
        messages.info(request, _("This takes a second factor: a passkey, or a code from an app."))
        return redirect(SECOND_FACTOR)
    try:
        with transaction.atomic():
            confirm_request(current_actor(request), found)
    except RefusedError as error:
        messages.error(request, format_error_text(error))
    else:
        messages.success(request, _("Confirmed. It waits for a second person now."))
    return redirect("me")
