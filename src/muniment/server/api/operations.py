"""What operations of the API have in common: their action, pages of lists, and doing nothing twice."""

import functools
import hashlib
import json
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.http import Http404, HttpRequest
from ninja import Schema
from pydantic import Field

from muniment.access.actions import Action
from muniment.access.authorize import ORGANISATION, Actor, Resource, Why, authorize, products, somewhere
from muniment.server.api.serving import Problem
from muniment.server.guarding.mediation import Find, acting, allowing
from muniment.server.people.models import Token
from muniment.server.products.models import Product
from muniment.server.proposals.models import Answer

_MOST = 100


def does(action: Action, find: Find | None = None) -> Callable[[Any], Any]:
    """Marks an operation with its action, as `mediation.requires` does a view."""

    def mark(operation: Any) -> Any:
        @functools.wraps(operation)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            resource = find(request, *args, **kwargs) if find else ORGANISATION
            actor = acting(request)
            why = somewhere(actor, action) if resource is None else authorize(actor, action, resource)
            if why is not Why.YES:
                if resource is not None and resource.product and not _sees(actor, resource):
                    raise Http404
                raise Problem(403, why.value, "Your roles, or the token's, do not allow this.")
            with allowing(action), transaction.atomic():
                return operation(request, *args, **kwargs)

        guarded.action = action  # type: ignore[attr-defined]
        return guarded

    return mark


def _sees(actor: Actor, resource: Resource) -> bool:
    return authorize(actor, Action.SEE_STATE, resource) is Why.YES


def of(request: HttpRequest, slug: str, **_: Any) -> Resource:
    """The product of an address."""
    return Resource(product=slug)


class Cursor(Schema):
    """Where a page of a list begins, and how long it is."""

    below: int | None = Field(None, ge=1, lt=2**63)
    limit: int = Field(50, ge=1, le=_MOST)


def page(rows: Any, cursor: Cursor, shape: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """One page of a list, each row as `shape` tells it, and the cursor of the next."""
    if cursor.below is not None:
        rows = rows.filter(pk__lt=cursor.below)
    found = list(rows.order_by("-pk")[: cursor.limit + 1])
    shown = found[: cursor.limit]
    return {"items": [shape(row) for row in shown], "next": shown[-1].pk if len(found) > cursor.limit else None}


def etag(body: dict[str, Any]) -> str:
    """What tells one state of a thing from another."""
    return f'"{hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:32]}"'


def unchanged(request: HttpRequest, body: dict[str, Any]) -> None:
    """Refuses to go on if the request names, in If-Match, another state than this one."""
    wanted = request.headers.get("If-Match", "")
    if wanted and wanted != etag(body):
        raise Problem(412, "changed-meanwhile", "It was changed since you read it: read it again.")


def shown(request: HttpRequest, action: Action) -> Any:
    """The products for which the one who asks may do this."""
    found = products(acting(request), action)
    return Product.objects.all() if found is None else Product.objects.filter(slug__in=found)


def once(request: HttpRequest, act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What was answered before to the same request with the same Idempotency-Key; else do it."""
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        return act()
    if len(key) > 200:
        raise Problem(400, "malformed-key", "An Idempotency-Key has at most 200 characters.")
    digest = hashlib.sha256(f"{request.method} {request.path} ".encode() + request.body).hexdigest()
    token: Token = request.token  # type: ignore[attr-defined]
    row, new = Answer.objects.get_or_create(token=token, key=key, defaults={"request": digest})
    if row.request != digest:
        raise Problem(422, "key-used", "This Idempotency-Key was used for another request.")
    if not new:
        return dict(row.body)
    body = act()
    Answer.objects.filter(pk=row.pk).update(body=body)
    return body


def outcome(waits: Any) -> dict[str, Any]:
    """Whether an act was done, or which proposal waits for a second person."""
    return {"done": True, "proposal": None} if waits is None else {"done": False, "proposal": waits.pk}
