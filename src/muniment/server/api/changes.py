"""Products from a file, the logs of their server hooks, their retirement; and one change, as programs see them."""

from typing import Any

import msgspec
from django.http import Http404, HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from muniment.access.actions import Action
from muniment.decision.report import DecisionReport
from muniment.server.acts.schemas import build_body_schema
from muniment.server.api_operations import (
    Cursor,
    answer_idempotently,
    for_action,
    page_by_number,
    product_from_url,
    run_act,
)
from muniment.server.changes.models import Change, Decision
from muniment.server.changes.reevaluation_requests import request_reevaluation
from muniment.server.changes.repository_acts import AddServerHookLog
from muniment.server.changes.views import find_change_resource as of_change
from muniment.server.connections.change_acts import MergeChange, RequestReview
from muniment.server.guarding.mediation import current_actor
from muniment.server.pages.product_import import import_products, read_product_file
from muniment.server.people.names import replace_ids_by_handles
from muniment.server.products.product_acts import RetireProduct
from muniment.server.records.record_details import read_details

router = Router()

# a type that is made at run time, from the fields of the act
MergeBody = build_body_schema(MergeChange, fixed=("change",))


class FileIn(Schema):
    """A file of products: its name ends in .csv or .toml."""

    name: str = Field(max_length=200)
    text: str = Field(max_length=1 << 20)


# types that are made at run time, from the fields of the acts
HookLogBody = build_body_schema(AddServerHookLog, fixed=("product",))
RetireBody = build_body_schema(RetireProduct, fixed=("product",))


@router.post("/imports")
@for_action(Action.ADD_PRODUCT)
def import_file(request: HttpRequest, body: FileIn) -> dict[str, object]:
    """Add the products of a file, all of them or none."""

    def import_rows() -> dict[str, object]:
        return {"added": import_products(current_actor(request), read_product_file(body.name, body.text.encode()))}

    return answer_idempotently(request, import_rows)


@router.post("/products/{slug}/retire")
@for_action(Action.RETIRE_PRODUCT, product_from_url)
def retire_product(request: HttpRequest, slug: str, body: RetireBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Request that a product is retired; a second person approves it."""
    return run_act(request, RetireProduct, {"product": slug})


@router.post("/products/{slug}/server-hook-logs")
@for_action(Action.CHANGE_PRODUCT, product_from_url)
def add_hook_log(request: HttpRequest, slug: str, body: HookLogBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Have the log of the server hook on a repository read."""
    return run_act(request, AddServerHookLog, {"product": slug})


@router.get("/changes/{number}")
@for_action(Action.SEE_CHANGE, of_change)
def get_change(request: HttpRequest, number: int) -> dict[str, object]:
    """Show a change, with the decision on it as `muniment check --format json` prints it; null if it was erased."""
    row = Change.objects.select_related("repository__product", "decision").get(pk=number)
    decision = row.decision
    report: Any = (
        read_details(decision.explanation_digest, DecisionReport)
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
        "decision": _serialize_decision(decision) if decision is not None else None,
        "account": msgspec.to_builtins(replace_ids_by_handles(report)) if isinstance(report, DecisionReport) else None,
    }


@router.post("/changes/{number}/request-review")
@for_action(Action.REQUEST_REVIEW, of_change)
def request_review(request: HttpRequest, number: int) -> dict[str, object]:
    """Request reviews, at the forge, from people whose approval would count."""
    return run_act(request, RequestReview, {"change": number})


@router.post("/changes/{number}/merge")
@for_action(Action.REQUEST_REVIEW, of_change)
def merge_change(request: HttpRequest, number: int, body: MergeBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Merge a change at its forge, if it still has this head and is allowed then."""
    return run_act(request, MergeChange, {"change": number})


@router.get("/changes/{number}/decisions")
@for_action(Action.SEE_CHANGE, of_change)
def list_decisions(request: HttpRequest, number: int, cursor: Query[Cursor]) -> dict[str, object]:
    """List every decision on a change, the newest first; `binds` if a server hook made it."""
    return page_by_number(Decision.objects.filter(change=number).select_related("record"), cursor, _serialize_decision)


@router.post("/changes/{number}/reevaluate")
@for_action(Action.SEE_CHANGE, of_change)
def reevaluate_change(request: HttpRequest, number: int) -> dict[str, object]:
    """Have a change evaluated again, in the background."""
    row = Change.objects.filter(pk=number).first()
    if row is None:
        raise Http404
    request_reevaluation(row)
    return {"done": True}


def _serialize_decision(row: Decision) -> dict[str, object]:
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
