"""Incidents, as programs see them."""

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from muniment.access.actions import Action
from muniment.server.acts.schemas import body_of
from muniment.server.api_operations import Cursor, does, page, run_act
from muniment.server.guarding.mediation import acting, anywhere
from muniment.server.incidents.incident_acts import CloseIncident, TakeOverIncident
from muniment.server.incidents.models import Incident
from muniment.server.incidents.views import of
from muniment.server.incidents.visibility import visible_incidents

router = Router()

# a type that is made at run time, from the fields of the act
CloseBody = body_of(CloseIncident, fixed=("incident",))


@router.get("/incidents")
@does(Action.SEE_INCIDENTS, anywhere)
def list_incidents(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """The incidents that the token may see."""
    rows = Incident.objects.filter(visible_incidents(acting(request))).select_related("product", "owner", "closed_by")
    return page(rows, cursor, _incident)


@router.post("/incidents/{number}/take-over")
@does(Action.HANDLE_INCIDENT, of)
def take_over_incident(request: HttpRequest, number: int) -> dict[str, Any]:
    """Take over an incident as its owner."""
    return run_act(request, TakeOverIncident, {"incident": number})


@router.post("/incidents/{number}/close")
@does(Action.HANDLE_INCIDENT, of)
def close_incident(request: HttpRequest, number: int, body: CloseBody) -> dict[str, Any]:  # type: ignore[valid-type]
    """Close an incident with its cause."""
    return run_act(request, CloseIncident, {"incident": number})


def _incident(row: Incident) -> dict[str, Any]:
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
