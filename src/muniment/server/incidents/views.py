"""Pages of incidents: the open ones with their deadlines, a single one, and taking it over or closing it."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorization import AccessResult, Resource, authorize
from muniment.server.acts.submission import submit_act
from muniment.server.guarding.mediation import current_actor, find_no_resource, require_action
from muniment.server.incidents.incident_acts import CloseIncident, TakeOverIncident
from muniment.server.incidents.models import Incident, find_open_incidents
from muniment.server.incidents.visibility import visible_incident_filter
from muniment.server.page_lists import page_by_id


def find_incident_resource(request: HttpRequest, number: int, **_: object) -> Resource:
    """Resource of an incident. Raises Http404, for everybody alike, if there is no such incident."""
    found = Incident.objects.select_related("product").filter(pk=number).first()
    if found is None:
        raise Http404
    return found.resource


def may_with_second_factor(request: HttpRequest, action: Action, incident: Incident) -> bool:
    """Whether the actor may do this to an incident, once a second factor is proven."""
    why = authorize(current_actor(request), action, incident.resource)
    return why in (AccessResult.YES, AccessResult.NO_SECOND_FACTOR)


@require_GET
@require_action(Action.SEE_INCIDENTS, find_no_resource)
def list_incidents(request: HttpRequest) -> HttpResponse:
    """List the open incidents, the first due on top, and the closed ones, newest first."""
    rows = Incident.objects.filter(visible_incident_filter(current_actor(request)))
    closed = rows.exclude(closed_at=None).select_related("product", "owner", "closed_by")
    context = {
        "open": find_open_incidents().filter(visible_incident_filter(current_actor(request)))[:200],
        "page": page_by_id(request, closed),
        "late": rows.filter(closed_at=None, due_at__lt=timezone.now()).count(),
    }
    return render(request, "incidents/list.html", context)


@require_GET
@require_action(Action.SEE_INCIDENTS, find_incident_resource)
def show_incident(request: HttpRequest, number: int) -> HttpResponse:
    """Show an incident, with the acts that the actor may do."""
    found = get_object_or_404(Incident.objects.select_related("product", "owner", "closed_by", "record"), pk=number)
    why = authorize(current_actor(request), Action.HANDLE_INCIDENT, found.resource)
    context: dict[str, object] = {
        "incident": found,
        "may_handle": found.closed_at is None and why in (AccessResult.YES, AccessResult.NO_SECOND_FACTOR),
        "clocks": found.breach_clocks.select_related("decided_by", "aware_person"),
        "advice": found.breach_advice.select_related("person"),
        "may_advise": found.closed_at is None and may_with_second_factor(request, Action.WRITE_DPO_FEEDBACK, found),
        "is_owner": found.owner_id == current_actor(request).person,
        "involved": current_actor(request).person in found.involved_people,
    }
    return render(request, "incidents/incident.html", context)


@require_POST
@require_action(Action.HANDLE_INCIDENT, find_incident_resource)
def handle_incident(request: HttpRequest, number: int) -> HttpResponse:
    """Take an incident over as its owner, or close it."""
    acts = (TakeOverIncident, CloseIncident)
    return submit_act(request, acts, {"incident": number}, _("Done."), "incident", number)
