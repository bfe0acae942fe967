"""Requests that wait for somebody: what they may approve."""

from muniment.access.authorize import Actor, Why
from muniment.server.requests.approvers import may_approve
from muniment.server.requests.models import Request
from muniment.server.requests.signing import read_signing


def waiting_for(actor: Actor) -> list[Request]:
    """Those that this one may agree to, or would with a second factor."""
    rows = Request.objects.filter(state=Request.State.WAITING, requester__active=True).select_related(
        "requester", "product"
    )
    found = [row for row in rows[:200] if may_approve(actor, row) in (Why.YES, Why.NO_SECOND_FACTOR)]
    for row in found:
        row.signing = read_signing(row, actor.person)  # type: ignore[attr-defined]
    return found
