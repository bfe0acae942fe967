"""Requests for a person's inbox: those that they may decide on, and their own."""

from django.db.models import QuerySet

from muniment.access.authorization import AccessResult, Actor
from muniment.server.remembered_sql import remember_instances
from muniment.server.requests.approvers import check_approval
from muniment.server.requests.models import Request

_MOST = 200


def find_approvable(actor: Actor) -> list[Request]:
    """Requests that the actor may approve, or could with a second factor, oldest first."""
    may = (AccessResult.YES, AccessResult.NO_SECOND_FACTOR)
    return [row for row in _read_waiting() if check_approval(actor, row) in may]


@remember_instances
def _read_waiting() -> "QuerySet[Request]":
    rows = Request.objects.filter(state=Request.State.WAITING, requester__active=True)
    return rows.select_related("requester", "product")[:_MOST]


def list_own_requests(actor: Actor, most: int) -> list[Request]:
    """Newest requests of the actor."""
    rows = Request.objects.filter(requester=actor.person).select_related("second_person", "product")
    return list(rows.order_by("-pk")[:most])
