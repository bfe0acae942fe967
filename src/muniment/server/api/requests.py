"""What waits for a second person, as programs see it. A program never agrees: that takes a person who is signed in."""

from typing import Any

from django.db.models import Q
from django.http import Http404, HttpRequest
from msgspec import structs
from ninja import Query, Router

from muniment.access.actions import Action
from muniment.access.authorize import Actor, Why
from muniment.server.api_operations import Cursor, does, once, page
from muniment.server.guarding.mediation import acting, own
from muniment.server.records.entering import code
from muniment.server.requests.approvers import may_approve
from muniment.server.requests.execution import reject_request
from muniment.server.requests.models import DANGEROUS, Request

router = Router()


def _concerning(actor: Actor) -> Any:
    """Those that this one asked for, or could agree to if they were signed in."""
    rows = Request.objects.select_related("requester", "second_person", "product")
    may = [row.pk for row in rows.filter(state=Request.State.WAITING, action__in=_codes(actor)) if _could(actor, row)]
    return rows.filter(Q(requester=actor.person) | Q(pk__in=may))


def _codes(actor: Actor) -> list[str]:
    held = {grant.role for grant in actor.grants}
    return [code(action) for action in DANGEROUS if action.rule.second & held]


def _could(actor: Actor, row: Request) -> bool:
    return may_approve(structs.replace(actor, scopes=None), row) in (Why.YES, Why.NO_SECOND_FACTOR)


@router.get("/requests")
@does(Action.MANAGE_OWN_ACCOUNT, own)
def list_proposals(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """What the token's person asked for, and what waits for them to agree."""
    return page(_concerning(acting(request)), cursor, _proposal)


@router.get("/requests/{number}")
@does(Action.MANAGE_OWN_ACCOUNT, own)
def get_proposal(request: HttpRequest, number: int) -> dict[str, Any]:
    """One of them."""
    return _proposal(_one(request, number))


@router.post("/requests/{number}/withdraw")
@does(Action.MANAGE_OWN_ACCOUNT, own)
def withdraw_proposal(request: HttpRequest, number: int) -> dict[str, Any]:
    """Take back what one asked for."""
    row = _one(request, number)
    if row.requester_id != acting(request).person:
        raise Http404

    def act() -> dict[str, Any]:
        reject_request(acting(request), row, "")
        return _proposal(_one(request, number))

    return once(request, act)


def _one(request: HttpRequest, number: int) -> Request:
    row: Request | None = _concerning(acting(request)).filter(pk=number).first()
    if row is None:
        raise Http404
    return row


def _proposal(row: Request) -> dict[str, Any]:
    return {
        "number": row.pk,
        "action": row.action,
        "product": row.product.slug if row.product else "",
        "summary": row.summary,
        "reason": row.reason,
        "requester": row.requester.slug,
        "requested_at": row.requested_at.isoformat(),
        "state": row.state,
        "second_person": row.second_person.slug if row.second_person else None,
        "decided_at": row.decided_at.isoformat() if row.decided_at else None,
    }
