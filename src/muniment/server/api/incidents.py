"""Incidents, as programs see them."""

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from muniment.access.actions import Action
from muniment.server.api.operations import Cursor, does, page
from muniment.server.guarding.mediation import acting, anywhere
from muniment.server.incidents.models import Incident
from muniment.server.incidents.views import seen

router = Router()


@router.get("/incidents")
@does(Action.SEE_INCIDENTS, anywhere)
def list_incidents(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """The incidents that the token may see."""
    rows = Incident.objects.filter(seen(acting(request))).select_related("product", "owner", "closer")
    return page(rows, cursor, _incident)


def _incident(row: Incident) -> dict[str, Any]:
    return {
        "number": row.pk,
        "kind": row.kind,
        "product": row.product.slug if row.product else "",
        "subject": row.subject,
        "told": row.told,
        "opened": row.opened.isoformat(),
        "deadline": row.deadline.isoformat(),
        "owner": row.owner.slug if row.owner else None,
        "closed": row.closed.isoformat() if row.closed else None,
        "how": row.how,
        "cause": row.cause,
    }
