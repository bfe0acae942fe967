"""Products from a file, their gates, their end; and one change, as programs see them."""

from typing import Any

import msgspec
from django.http import Http404, HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from muniment.access.actions import Action
from muniment.decision.account import Account
from muniment.server.api.operations import Cursor, does, of, once, outcome, page
from muniment.server.changes.again import judge_again
from muniment.server.changes.models import Change, Decision
from muniment.server.changes.views import of as of_change
from muniment.server.guarding.mediation import acting
from muniment.server.products.importing import read, take
from muniment.server.proposals.doing import ask
from muniment.server.record.reading import beside

router = Router()


class FileIn(Schema):
    """A file of products: its name ends in .csv or .toml."""

    name: str = Field(max_length=200)
    text: str = Field(max_length=1 << 20)


class GateIn(Schema):
    """The log of a gate: a repository's name, a path on the worker's machine, the ledger's public key."""

    repository: str = Field(max_length=200)
    path: str = Field(max_length=1000)
    key: str = Field(max_length=500)


class Retiring(Schema):
    """Why a product is retired."""

    reason: str = Field(min_length=1, max_length=2000)


@router.post("/imports")
@does(Action.ADD_PRODUCT)
def import_products(request: HttpRequest, body: FileIn) -> dict[str, Any]:
    """Add the products of a file, all of them or none."""

    def act() -> dict[str, Any]:
        return {"added": take(acting(request), read(body.name, body.text.encode()))}

    return once(request, act)


@router.post("/products/{slug}/retire")
@does(Action.RETIRE_PRODUCT, of)
def retire_product(request: HttpRequest, slug: str, body: Retiring) -> dict[str, Any]:
    """Ask for a product to be retired; a second person agrees."""
    what, told = {"id": slug}, f"retire the product {slug}"
    return once(
        request,
        lambda: outcome(ask(acting(request), Action.RETIRE_PRODUCT, what, told, body.reason, product=slug)),
    )


@router.post("/products/{slug}/gates")
@does(Action.CHANGE_PRODUCT, of)
def add_gate(request: HttpRequest, slug: str, body: GateIn) -> dict[str, Any]:
    """Have the log of a gate read."""
    what = {"id": slug, "do": "gate", "name": body.repository, "path": body.path, "key": body.key}
    told = f"gate of {slug}: {body.repository}"
    return once(request, lambda: outcome(ask(acting(request), Action.CHANGE_PRODUCT, what, told, product=slug)))


@router.get("/changes/{number}")
@does(Action.SEE_CHANGE, of_change)
def get_change(request: HttpRequest, number: int) -> dict[str, Any]:
    """One change, with the verdict on it as `muniment check --format json` tells it; null if it was erased."""
    row = Change.objects.select_related("repository__product", "decision").get(pk=number)
    decision = row.decision
    told: Any = beside(decision.account, Account) if decision is not None and decision.account else None
    return {
        "number": row.pk,
        "product": row.repository.product.slug,
        "repository": row.repository.name,
        "target": row.target,
        "head": row.head,
        "where": row.where,
        "title": row.title,
        "decision": _decision(decision) if decision is not None else None,
        "account": msgspec.to_builtins(told) if isinstance(told, Account) else None,
    }


@router.get("/changes/{number}/decisions")
@does(Action.SEE_CHANGE, of_change)
def list_decisions(request: HttpRequest, number: int, cursor: Query[Cursor]) -> dict[str, Any]:
    """Every decision on it, the newest first; `binds` if a gate made it."""
    return page(Decision.objects.filter(change=number).select_related("entry"), cursor, _decision)


@router.post("/changes/{number}/again")
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
        "time": row.time.isoformat(),
        "policy": row.policy,
        "binds": row.gate_id is not None,
        "entry": row.entry_id,
    }
