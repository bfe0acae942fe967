"""What waits for a second person, as programs see it. A program never agrees: that takes a person who is signed in."""

from typing import Any

from django.db.models import Q
from django.http import Http404, HttpRequest
from msgspec import structs
from ninja import Query, Router

from muniment.access.actions import Action
from muniment.access.authorize import Actor, Why
from muniment.server.api.operations import Cursor, does, once, page
from muniment.server.guarding.mediation import acting, own
from muniment.server.proposals.doing import refuse, why_not
from muniment.server.proposals.models import DANGEROUS, Proposal
from muniment.server.record.entering import code

router = Router()


def _concerning(actor: Actor) -> Any:
    """Those that this one asked for, or could agree to if they were signed in."""
    rows = Proposal.objects.select_related("asker", "second", "product")
    may = [row.pk for row in rows.filter(state=Proposal.State.WAITING, action__in=_codes(actor)) if _could(actor, row)]
    return rows.filter(Q(asker__slug=actor.person) | Q(pk__in=may))


def _codes(actor: Actor) -> list[str]:
    held = {grant.role for grant in actor.grants}
    return [code(action) for action in DANGEROUS if action.rule.second & held]


def _could(actor: Actor, row: Proposal) -> bool:
    return why_not(structs.replace(actor, scopes=None), row) in (Why.YES, Why.NO_SECOND_FACTOR)


@router.get("/proposals")
@does(Action.OWN_ACCOUNT, own)
def list_proposals(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """What the token's person asked for, and what waits for them to agree."""
    return page(_concerning(acting(request)), cursor, _proposal)


@router.get("/proposals/{number}")
@does(Action.OWN_ACCOUNT, own)
def get_proposal(request: HttpRequest, number: int) -> dict[str, Any]:
    """One of them."""
    return _proposal(_one(request, number))


@router.post("/proposals/{number}/withdraw")
@does(Action.OWN_ACCOUNT, own)
def withdraw_proposal(request: HttpRequest, number: int) -> dict[str, Any]:
    """Take back what one asked for."""
    row = _one(request, number)
    if row.asker.slug != acting(request).person:
        raise Http404

    def act() -> dict[str, Any]:
        refuse(acting(request), row, "")
        return _proposal(_one(request, number))

    return once(request, act)


def _one(request: HttpRequest, number: int) -> Proposal:
    row: Proposal | None = _concerning(acting(request)).filter(pk=number).first()
    if row is None:
        raise Http404
    return row


def _proposal(row: Proposal) -> dict[str, Any]:
    return {
        "number": row.pk,
        "action": row.action,
        "product": row.product.slug if row.product else "",
        "told": row.told,
        "reason": row.reason,
        "asker": row.asker.slug,
        "asked": row.asked.isoformat(),
        "state": row.state,
        "second": row.second.slug if row.second else None,
        "decided": row.decided.isoformat() if row.decided else None,
    }
