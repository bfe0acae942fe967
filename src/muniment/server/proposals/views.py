"""What waits for a second person."""

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from muniment.access.actions import Action
from muniment.access.authorize import Actor, Why
from muniment.server.guarding.mediation import acting, own, requires
from muniment.server.proposals.doing import agree, refuse, why_not
from muniment.server.proposals.models import Proposal
from muniment.server.routes import SECOND_FACTOR


def waiting_for(actor: Actor) -> list[Proposal]:
    """Those that this one may agree to, or would with a second factor."""
    rows = Proposal.objects.filter(state=Proposal.State.WAITING, asker__active=True).select_related("asker", "product")
    return [row for row in rows[:200] if why_not(actor, row) in (Why.YES, Why.NO_SECOND_FACTOR)]


@require_POST
@requires(Action.OWN_ACCOUNT, own)
def decide(request: HttpRequest, number: int) -> HttpResponse:
    """Agree to it, or refuse it. Whether one may is looked at once more, for exactly this."""
    found = get_object_or_404(Proposal.objects.select_related("asker", "product"), pk=number)
    actor, yes = acting(request), request.POST.get("answer") == "agree"
    if why_not(actor, found) is Why.NO_SECOND_FACTOR:
        messages.info(request, _("This takes a second factor: a passkey, or a code from an app."))
        return redirect(SECOND_FACTOR)
    try:
        with transaction.atomic():
            if yes:
                agree(actor, found)
            else:
                refuse(actor, found, str(request.POST.get("reason", ""))[:2000])
    except ValueError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Done.") if yes else _("It will not be done."))
    return redirect("home")
