"""Incidents, as pages: what is open and until when, what one was, and taking it on or closing it."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorize import Resource, Why, authorize
from muniment.server.acts.submission import submit_act
from muniment.server.guarding.mediation import acting, anywhere, requires
from muniment.server.incidents.incident_acts import CloseIncident, TakeOverIncident
from muniment.server.incidents.models import Incident, open_ones
from muniment.server.incidents.visibility import visible_incidents
from muniment.server.page_lists import page


def of(request: HttpRequest, number: int, **_: Any) -> Resource:
    """What an incident is about. What is not there is not there for anybody."""
    found = Incident.objects.select_related("product").filter(pk=number).first()
    if found is None:
        raise Http404
    return found.resource


@require_GET
@requires(Action.SEE_INCIDENTS, anywhere)
def incidents(request: HttpRequest) -> HttpResponse:
    """Those that are open, the first due on top; those that were, newest first."""
    rows = Incident.objects.filter(visible_incidents(acting(request)))
    closed = rows.exclude(closed_at=None).select_related("product", "owner", "closed_by")
    context = {
        "open": open_ones().filter(visible_incidents(acting(request)))[:200],
        "page": page(request, closed),
        "late": rows.filter(closed_at=None, due_at__lt=timezone.now()).count(),
    }
    return render(request, "incidents/list.html", context)


@require_GET
@requires(Action.SEE_INCIDENTS, of)
def incident(request: HttpRequest, number: int) -> HttpResponse:
    """One."""
    found = get_object_or_404(Incident.objects.select_related("product", "owner", "closed_by", "record"), pk=number)
    why = authorize(acting(request), Action.HANDLE_INCIDENT, found.resource)
    context: dict[str, Any] = {
        "incident": found,
        "may_handle": found.closed_at is None and why in (Why.YES, Why.NO_SECOND_FACTOR),
        "involved": acting(request).person in found.involved_people,
    }
    return render(request, "incidents/incident.html", context)


@require_POST
@requires(Action.HANDLE_INCIDENT, of)
def handle(request: HttpRequest, number: int) -> HttpResponse:
    """Take an incident over as its owner, or close it."""
    acts = (TakeOverIncident, CloseIncident)
    return submit_act(request, acts, {"incident": number}, _("Done."), "incident", number)
