"""Products from a file, the logs of their server hooks, their end; and one change, as programs see them."""

from typing import Any

import msgspec
from django.http import Http404, HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from muniment.access.actions import Action
from muniment.decision.account import DecisionReport
from muniment.server.acts.schemas import body_of
from muniment.server.api_operations import Cursor, does, of, once, page, run_act
from muniment.server.changes.again import judge_again
from muniment.server.changes.models import Change, Decision
from muniment.server.changes.repository_acts import AddServerHookLog
from muniment.server.changes.views import of as of_change
from muniment.server.connections.change_acts import MergeChange, RequestReview
from muniment.server.guarding.mediation import acting
from muniment.server.pages.importing import import_products, read_products
from muniment.server.people.names import with_handles
from muniment.server.products.product_acts import RetireProduct
from muniment.server.records.reading import beside

router = Router()

# a type that is made at run time, from the fields of the act
MergeBody = body_of(MergeChange, fixed=("change",))


class FileIn(Schema):
    """A file of products: its name ends in .csv or .toml."""

    name: str = Field(max_length=200)
    text: str = Field(max_length=1 << 20)


# types that are made at run time, from the fields of the acts
HookLogBody = body_of(AddServerHookLog, fixed=("product",))
RetireBody = body_of(RetireProduct, fixed=("product",))


@router.post("/imports")
@does(Action.ADD_PRODUCT)
def import_file(request: HttpRequest, body: FileIn) -> dict[str, Any]:
    """Add the products of a file, all of them or none."""

    def act() -> dict[str, Any]:
        return {"added": import_products(acting(request), read_products(body.name, body.text.encode()))}

    return once(request, act)


@router.post("/products/{slug}/retire")
@does(Action.RETIRE_PRODUCT, of)
def retire_product(request: HttpRequest, slug: str, body: RetireBody) -> dict[str, Any]:  # type: ignore[valid-type]
    """Request that a product is retired; a second person approves it."""
    return run_act(request, RetireProduct, {"product": slug})


@router.post("/products/{slug}/server-hook-logs")
@does(Action.CHANGE_PRODUCT, of)
def add_hook_log(request: HttpRequest, slug: str, body: HookLogBody) -> dict[str, Any]:  # type: ignore[valid-type]
    """Have the log of the server hook on a repository read."""
    return run_act(request, AddServerHookLog, {"product": slug})


@router.get("/changes/{number}")
@does(Action.SEE_CHANGE, of_change)
def get_change(request: HttpRequest, number: int) -> dict[str, Any]:
    """One change, with the verdict on it as `muniment check --format json` tells it; null if it was erased."""
    row = Change.objects.select_related("repository__product", "decision").get(pk=number)
    decision = row.decision
    told: Any = (
        beside(decision.explanation_digest, DecisionReport)
        if decision is not None and decision.explanation_digest
        else None
    )
    return {
        "number": row.pk,
        "product": row.repository.product.slug,
        "repository": row.repository.name,
        "target": row.target,
        "head": row.head,
        "state": row.state,
        "title": row.title,
        "decision": _decision(decision) if decision is not None else None,
        "account": msgspec.to_builtins(with_handles(told)) if isinstance(told, DecisionReport) else None,
    }


@router.post("/changes/{number}/request-review")
@does(Action.REQUEST_REVIEW, of_change)
def request_review(request: HttpRequest, number: int) -> dict[str, Any]:
    """Request reviews, at the forge, from people whose approval would count."""
    return run_act(request, RequestReview, {"change": number})


@router.post("/changes/{number}/merge")
@does(Action.REQUEST_REVIEW, of_change)
def merge_change(request: HttpRequest, number: int, body: MergeBody) -> dict[str, Any]:  # type: ignore[valid-type]
    """Merge a change at its forge, if it has this head still and is allowed then."""
    return run_act(request, MergeChange, {"change": number})


@router.get("/changes/{number}/decisions")
@does(Action.SEE_CHANGE, of_change)
def list_decisions(request: HttpRequest, number: int, cursor: Query[Cursor]) -> dict[str, Any]:
    """Every decision on it, the newest first; `binds` if a gate made it."""
    return page(Decision.objects.filter(change=number).select_related("record"), cursor, _decision)


@router.post("/changes/{number}/reevaluate")
@does(Action.SEE_CHANGE, of_change)
def judge_change_again(request: HttpRequest, number: int) -> dict[str, Any]:
    """Have it judged again, in the background."""
    row = Change.objects.filter(pk=number).first()
    if row is None:
        raise Http404
    judge_again(row)
    return {"done": True}


def _decision(row: Decision) -> dict[str, Any]:
    return {
        "number": row.pk,
        "head": row.head,
        "base": row.base,
        "allowed": row.allowed,
        "decided_at": row.decided_at.isoformat(),
        "policy": row.policy_digest,
        "binding": row.hook_record_id is not None,
        "record": row.record_id,
    }
