"""Requests that wait for somebody: what they may approve."""

from muniment.access.authorization import AccessResult, Actor
from muniment.server.requests.approvers import check_approval
from muniment.server.requests.models import Request
from muniment.server.requests.signature_status import read_signature_status


def find_approvable(actor: Actor) -> list[Request]:
    """Requests that the actor may approve, or could with a second factor."""
    rows = Request.objects.filter(state=Request.State.WAITING, requester__active=True).select_related(
        "requester", "product"
    )
    found = [
        row for row in rows[:200] if check_approval(actor, row) in (AccessResult.YES, AccessResult.NO_SECOND_FACTOR)
    ]
    for row in found:
        row.signing = read_signature_status(row, actor.person)  # type: ignore[attr-defined]
    return found
