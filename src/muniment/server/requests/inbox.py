"""Requests for a person's inbox: those that they may decide on, and their own."""

from muniment.access.authorization import AccessResult, Actor
from muniment.server.requests.approvers import check_approval
from muniment.server.requests.models import Request

_MOST = 200


def find_approvable(actor: Actor) -> list[Request]:
    """Requests that the actor may approve, or could with a second factor, oldest first."""
    rows = Request.objects.filter(state=Request.State.WAITING, requester__active=True).select_related(
        "requester", "product"
    )
    may = (AccessResult.YES, AccessResult.NO_SECOND_FACTOR)
    return [row for row in rows[:_MOST] if check_approval(actor, row) in may]


def list_own_requests(actor: Actor, most: int) -> list[Request]:
    """Newest requests of the actor."""
    rows = Request.objects.filter(requester=actor.person).select_related("second_person", "product")
    return list(rows.order_by("-pk")[:most])
