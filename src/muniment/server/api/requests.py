"""Requests that wait for a second person, as programs see them. A program never approves: only a signed-in person
does.
"""

from typing import Any

from django.db.models import Q
from django.http import Http404, HttpRequest
from msgspec import structs
from ninja import Query, Router

from muniment.access.actions import Action
from muniment.access.authorization import AccessResult, Actor
from muniment.server.api_operations import Cursor, answer_idempotently, for_action, page_by_number
from muniment.server.guarding.mediation import current_actor, find_own_resource
from muniment.server.records.record_writing import action_code
from muniment.server.requests.approvers import check_approval
from muniment.server.requests.execution import reject_request
from muniment.server.requests.models import DANGEROUS, Request

router = Router()


def _find_own_requests(actor: Actor) -> Any:
    """Requests that the actor made, or could approve if they were signed in."""
    rows = Request.objects.select_related("requester", "second_person", "product")
    may = [
        row.pk
        for row in rows.filter(state=Request.State.WAITING, action__in=_approvable_actions(actor))
        if _could_approve(actor, row)
    ]
    return rows.filter(Q(requester=actor.person) | Q(pk__in=may))


def _approvable_actions(actor: Actor) -> list[str]:
    held = {grant.role for grant in actor.grants}
    return [action_code(action) for action in DANGEROUS if action.rule.second & held]


def _could_approve(actor: Actor, row: Request) -> bool:
    return check_approval(structs.replace(actor, scopes=None), row) in (AccessResult.YES, AccessResult.NO_SECOND_FACTOR)


@router.get("/requests")
@for_action(Action.MANAGE_OWN_ACCOUNT, find_own_resource)
def list_requests(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, object]:
    """List the requests of the token's person, and those that they may approve."""
    return page_by_number(_find_own_requests(current_actor(request)), cursor, _serialize_request)


@router.get("/requests/{number}")
@for_action(Action.MANAGE_OWN_ACCOUNT, find_own_resource)
def get_request(request: HttpRequest, number: int) -> dict[str, object]:
    """Show a request that concerns the token's person."""
    return _serialize_request(_find_request(request, number))


@router.post("/requests/{number}/withdraw")
@for_action(Action.MANAGE_OWN_ACCOUNT, find_own_resource)
def withdraw_request(request: HttpRequest, number: int) -> dict[str, object]:
    """Withdraw one's own request."""
    row = _find_request(request, number)
    if row.requester_id != current_actor(request).person:
        raise Http404

    def withdraw_once() -> dict[str, object]:
        reject_request(current_actor(request), row, "")
        return _serialize_request(_find_request(request, number))

    return answer_idempotently(request, withdraw_once)


def _find_request(request: HttpRequest, number: int) -> Request:
    row: Request | None = _find_own_requests(current_actor(request)).filter(pk=number).first()
    if row is None:
        raise Http404
    return row


def _serialize_request(row: Request) -> dict[str, object]:
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
