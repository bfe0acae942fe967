"""What operations of the API have in common: their action, pages of lists, and doing nothing twice."""

import functools
import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Concatenate, ParamSpec, TypeVar

from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _
from ninja import Schema
from pydantic import Field

from muniment.access.actions import Action
from muniment.access.authorization import (
    ORGANISATION,
    AccessResult,
    Actor,
    Resource,
    authorize,
    authorize_anywhere,
    list_permitted_products,
)
from muniment.errors import ActInputError
from muniment.server.acts.act import Act
from muniment.server.acts.execution import execute_act
from muniment.server.acts.inputs import InputCode
from muniment.server.acts.parser import merge_fields, parse_act, refuse_repeated
from muniment.server.api_serving import LONGEST_KEY, ApiProblem, refuse_malformed_body
from muniment.server.guarding.mediation import Find, allow_writes, current_actor
from muniment.server.people.models import ApiToken, IdempotentResponse, Person
from muniment.server.products.models import Product

_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer")
_Row = TypeVar("_Row", bound=Model)
Operation = Callable[Concatenate[HttpRequest, _Arguments], _Answer]
_MOST = 100
_MOST_DIGITS = 1000


def for_action(
    action: Action, find: Find | None = None
) -> Callable[[Operation[_Arguments, _Answer]], Operation[_Arguments, _Answer]]:
    """Mark an operation with its action, as `mediation.require_action` does a view."""

    def mark_operation(operation: Operation[_Arguments, _Answer]) -> Operation[_Arguments, _Answer]:
        @functools.wraps(operation)
        def run_guarded(request: HttpRequest, /, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Answer:
            resource = find(request, *args, **kwargs) if find else ORGANISATION
            actor = current_actor(request)
            why = authorize_anywhere(actor, action) if resource is None else authorize(actor, action, resource)
            if why is not AccessResult.YES:
                if resource is not None and resource.product and not _can_see_product(actor, resource):
                    raise Http404
                raise ApiProblem(403, why.value, _("Your roles, or the token's, do not allow this."))
            refuse_malformed_body(request)
            with allow_writes(action), transaction.atomic():
                return operation(request, *args, **kwargs)

        run_guarded.action = action  # type: ignore[attr-defined]
        return run_guarded

    return mark_operation


def _can_see_product(actor: Actor, resource: Resource) -> bool:
    return authorize(actor, Action.SEE_PRODUCT, resource) is AccessResult.YES


def product_from_url(request: HttpRequest, slug: str, **_: object) -> Resource:
    """The product of an address."""
    return Resource(product=slug)


class Cursor(Schema):
    """Beginning of a page of a list, and its length."""

    below: int | None = Field(None, ge=1, lt=2**63)
    limit: int = Field(50, ge=1, le=_MOST)


class HandleCursor(Schema):
    """Beginning of a page of a list of people: after a handle, in the order of handles."""

    after: str = Field("", max_length=64)
    limit: int = Field(50, ge=1, le=_MOST)


def page_by_handle(
    rows: QuerySet[Person], cursor: HandleCursor, shape: Callable[[Person], dict[str, object]]
) -> dict[str, object]:
    """Select one page of a list of people, each row as `shape` serializes it, and the handle after which the next page
    begins.
    """
    found = list(rows.filter(slug__gt=cursor.after).order_by("slug")[: cursor.limit + 1])
    page = found[: cursor.limit]
    following = page[-1].slug if len(found) > cursor.limit else None
    return {"items": [shape(row) for row in page], "next": following}


def page_by_number(
    rows: QuerySet[_Row], cursor: Cursor, shape: Callable[[_Row], dict[str, object]]
) -> dict[str, object]:
    """Select one page of a list, each row as `shape` serializes it, and the cursor of the next."""
    page, following = select_page(rows, cursor)
    return {"items": [shape(row) for row in page], "next": following}


def select_page(rows: QuerySet[_Row], cursor: Cursor) -> tuple[list[_Row], int | None]:
    """Select the rows of one page of a list, newest first, and the cursor of the next."""
    if cursor.below is not None:
        rows = rows.filter(pk__lt=cursor.below)
    found = list(rows.order_by("-pk")[: cursor.limit + 1])
    page = found[: cursor.limit]
    return page, page[-1].pk if len(found) > cursor.limit else None


def compute_etag(body: dict[str, object]) -> str:
    """Compute the tag that distinguishes one state of a thing from another."""
    return f'"{hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:32]}"'


def require_unchanged(request: HttpRequest, body: dict[str, object]) -> None:
    """Raise Problem if the request's If-Match names another state than this one."""
    wanted = request.headers.get("If-Match", "")
    if wanted and wanted != compute_etag(body):
        raise ApiProblem(412, "changed-meanwhile", _("It was changed since you read it: read it again."))


def visible_products(request: HttpRequest, action: Action) -> QuerySet[Product]:
    """Products for which the requester may do this."""
    found = list_permitted_products(current_actor(request), action)
    return Product.objects.all() if found is None else Product.objects.filter(slug__in=found)


def answer_idempotently(request: HttpRequest, act: Callable[[], dict[str, object]]) -> dict[str, object]:
    """Answer as before to the same request with the same Idempotency-Key; else perform it."""
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        return act()
    if len(key) > LONGEST_KEY:
        raise ApiProblem(400, "malformed-key", _("An Idempotency-Key has at most 200 characters."))
    digest = hashlib.sha256(f"{request.method} {request.path} ".encode() + request.body).hexdigest()
    token: ApiToken = request.token  # type: ignore[attr-defined]
    row, new = IdempotentResponse.objects.get_or_create(
        token=token, idempotency_key=key, defaults={"request_digest": digest}
    )
    if row.request_digest != digest:
        raise ApiProblem(422, "key-used", _("This Idempotency-Key was used for another request."))
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
    build_body: Callable[[Any], dict[str, object]] | None = None,
    value_field: str = "",
) -> dict[str, object]:
    """Perform an act: with the fields that were sent, and those of the address. `current` are the values of fields
    that may be left out, as in a PATCH. Raises Http404 for an address of nothing.

    `build_body` makes the body from the result of the execution, for an act that never waits. The value of
    `value_field` accompanies the act and is stored nowhere: such a request is carried out as often as it is sent.
    """
    sent = read_body_fields(request)
    secret = sent.pop(value_field, None)
    try:
        values = merge_fields({**(current or {}), **sent}, fixed)
        act = parse_act(cls, values, current_actor(request))
    except ActInputError as error:
        if any(problem.field in fixed and problem.code == InputCode.NOT_FOUND for problem in error.problems):
            raise Http404 from None
        raise

    def perform_act() -> dict[str, object]:
        found = execute_act(current_actor(request), act, secret=secret)
        return serialize_outcome(found.request) if build_body is None else build_body(found.result)

    return perform_act() if value_field else answer_idempotently(request, perform_act)


def read_body_fields(request: HttpRequest) -> dict[str, object]:
    """Read the fields of the request's body itself, since the operation's schema drops unknown ones; none without a
    body.

    Raises ActInputError for a key that is named twice, Problem for a body that is no JSON object: the schema takes
    a list too, as a thing without attributes, and an operation without a schema reads no body.
    """
    repeated: list[str] = []

    def make_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
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
        raise ApiProblem(400, "malformed", _("Send JSON.")) from None
    if not isinstance(sent, dict):
        raise ApiProblem(422, "malformed", _("Send one JSON object."))
    refuse_repeated(repeated)
    return sent


def _read_integer(digits: str) -> int | float:
    """Read a number of JSON; one with more digits than any field takes is not computed."""
    return int(digits) if len(digits) <= _MOST_DIGITS else math.inf


def _refuse_constant(name: str) -> float:
    """Refuse NaN and the infinities: JSON has none."""
    raise json.JSONDecodeError("constant", name, 0)


def serialize_outcome(request: int | None) -> dict[str, object]:
    """Whether an act was done, or the number of the request that waits for a second person."""
    return {"done": request is None, "request": request}
