"""Incidents, as programs see them."""

from django.http import HttpRequest
from ninja import Query, Router

from muniment.access.actions import Action
from muniment.server.acts.schemas import build_body_schema
from muniment.server.api_operations import Cursor, for_action, page_by_number, run_act
from muniment.server.guarding.mediation import current_actor, find_no_resource
from muniment.server.incidents.incident_acts import CloseIncident, TakeOverIncident
from muniment.server.incidents.models import Incident
from muniment.server.incidents.views import find_incident_resource
from muniment.server.incidents.visibility import visible_incident_filter

router = Router()

# a type that is made at run time, from the fields of the act
CloseBody = build_body_schema(CloseIncident, fixed=("incident",))


@router.get("/incidents")
@for_action(Action.SEE_INCIDENTS, find_no_resource)
def list_incidents(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, object]:
    """List the incidents that the token may see."""
    rows = Incident.objects.filter(visible_incident_filter(current_actor(request))).select_related(
        "product", "owner", "closed_by"
    )
    return page_by_number(rows, cursor, _serialize_incident)


@router.post("/incidents/{number}/take-over")
@for_action(Action.HANDLE_INCIDENT, find_incident_resource)
def take_over_incident(request: HttpRequest, number: int) -> dict[str, object]:
    """Take over an incident as its owner."""
    return run_act(request, TakeOverIncident, {"incident": number})


@router.post("/incidents/{number}/close")
@for_action(Action.HANDLE_INCIDENT, find_incident_resource)
def close_incident(request: HttpRequest, number: int, body: CloseBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Close an incident with its cause."""
    return run_act(request, CloseIncident, {"incident": number})


def _serialize_incident(row: Incident) -> dict[str, object]:
    return {
        "number": row.pk,
        "kind": row.kind,
        "product": row.product.slug if row.product else "",
        "subject": row.subject,
        "summary": row.summary,
        "opened_at": row.opened_at.isoformat(),
        "due_at": row.due_at.isoformat(),
        "owner": row.owner.slug if row.owner else None,
        "closed_at": row.closed_at.isoformat() if row.closed_at else None,
        "resolution": row.resolution,
        "cause": row.cause,
    }
