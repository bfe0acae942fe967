"""What operations of the API have in common: their action, pages of lists, and doing nothing twice."""

import functools
import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction
from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _
from ninja import Schema
from pydantic import Field

from muniment.access.actions import Action
from muniment.access.authorize import ORGANISATION, Actor, Resource, Why, authorize, products, somewhere
from muniment.errors import ActInputError
from muniment.server.acts.act import Act
from muniment.server.acts.execution import execute_act
from muniment.server.acts.inputs import InputCode
from muniment.server.acts.parser import merge_fields, parse_act, refuse_repeated
from muniment.server.api_serving import LONGEST_KEY, Problem, refuse_malformed_body
from muniment.server.guarding.mediation import Find, acting, allowing
from muniment.server.people.models import ApiToken, IdempotentResponse
from muniment.server.products.models import Product

_MOST = 100
_MOST_DIGITS = 1000


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
                raise Problem(403, why.value, _("Your roles, or the token's, do not allow this."))
            refuse_malformed_body(request)
            with allowing(action), transaction.atomic():
                return operation(request, *args, **kwargs)

        guarded.action = action  # type: ignore[attr-defined]
        return guarded

    return mark


def _sees(actor: Actor, resource: Resource) -> bool:
    return authorize(actor, Action.SEE_PRODUCT, resource) is Why.YES


def of(request: HttpRequest, slug: str, **_: Any) -> Resource:
    """The product of an address."""
    return Resource(product=slug)


class Cursor(Schema):
    """Where a page of a list begins, and how long it is."""

    below: int | None = Field(None, ge=1, lt=2**63)
    limit: int = Field(50, ge=1, le=_MOST)


class HandleCursor(Schema):
    """Where a page of a list of people begins: after a handle, in the order of handles."""

    after: str = Field("", max_length=64)
    limit: int = Field(50, ge=1, le=_MOST)


def page_by_handle(rows: Any, cursor: HandleCursor, shape: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """One page of a list of people, each row as `shape` tells it, and the handle that the next page begins after."""
    found = list(rows.filter(slug__gt=cursor.after).order_by("slug")[: cursor.limit + 1])
    shown = found[: cursor.limit]
    following = shown[-1].slug if len(found) > cursor.limit else None
    return {"items": [shape(row) for row in shown], "next": following}


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
        raise Problem(412, "changed-meanwhile", _("It was changed since you read it: read it again."))


def shown(request: HttpRequest, action: Action) -> Any:
    """The products for which the one who asks may do this."""
    found = products(acting(request), action)
    return Product.objects.all() if found is None else Product.objects.filter(slug__in=found)


def once(request: HttpRequest, act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What was answered before to the same request with the same Idempotency-Key; else do it."""
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        return act()
    if len(key) > LONGEST_KEY:
        raise Problem(400, "malformed-key", _("An Idempotency-Key has at most 200 characters."))
    digest = hashlib.sha256(f"{request.method} {request.path} ".encode() + request.body).hexdigest()
    token: ApiToken = request.token  # type: ignore[attr-defined]
    row, new = IdempotentResponse.objects.get_or_create(
        token=token, idempotency_key=key, defaults={"request_digest": digest}
    )
    if row.request_digest != digest:
        raise Problem(422, "key-used", _("This Idempotency-Key was used for another request."))
    if not new:
        return dict(row.body)
    body = act()
    IdempotentResponse.objects.filter(pk=row.pk).update(body=body)
    return body


def run_act(
    request: HttpRequest,
    cls: type[Act],
    fixed: Mapping[str, object],
    current: Mapping[str, object] | None = None,
    answer: Callable[[Any], dict[str, Any]] | None = None,
    value_field: str = "",
) -> dict[str, Any]:
    """Perform an act: what was sent, and the fields that the address has. `current` are the values of fields that may
    be left out, as in a PATCH. Http404 for an address of nothing.

    `answer` gives the body for what the execution returned, for an act that never waits. The value of `value_field`
    accompanies the act and is stored nowhere: such a request is carried out as often as it is sent.
    """
    sent = read_fields(request)
    secret = sent.pop(value_field, None)
    try:
        values = merge_fields({**(current or {}), **sent}, fixed)
        act = parse_act(cls, values, acting(request))
    except ActInputError as error:
        if any(problem.field in fixed and problem.code == InputCode.NOT_FOUND for problem in error.problems):
            raise Http404 from None
        raise

    def perform() -> dict[str, Any]:
        found = execute_act(acting(request), act, secret=secret)
        return outcome(found.request) if answer is None else answer(found.result)

    return perform() if value_field else once(request, perform)


def read_fields(request: HttpRequest) -> dict[str, Any]:
    """The fields of the request's body itself, since the operation's schema keeps no unknown ones; none without a body.

    Raises ActInputError for a key that is named twice, Problem for a body that is no JSON object: the schema takes a
    list too, as a thing without attributes, and an operation without a schema looks at no body.
    """
    repeated: list[str] = []

    def make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            counts = Counter(name for name, _value in pairs)
            repeated.extend(name for name, count in counts.items() if count > 1)
        return found

    try:
        sent = json.loads(
            request.body or b"{}",
            object_pairs_hook=make_object,
            parse_int=_read_integer,
            parse_constant=_refuse_constant,
        )
    except (ValueError, RecursionError):
        raise Problem(400, "malformed", _("Send JSON.")) from None
    if not isinstance(sent, dict):
        raise Problem(422, "malformed", _("Send one JSON object."))
    refuse_repeated(repeated)
    return sent


def _read_integer(digits: str) -> int | float:
    """A number of JSON; one with more digits than any field takes is not computed."""
    return int(digits) if len(digits) <= _MOST_DIGITS else math.inf


def _refuse_constant(name: str) -> float:
    """NaN and the infinities: JSON has none."""
    raise json.JSONDecodeError("constant", name, 0)


def outcome(request: int | None) -> dict[str, Any]:
    """Whether an act was done, or the number of the request that waits for a second person."""
    return {"done": request is None, "request": request}
