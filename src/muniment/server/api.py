"""The API: the same acts as the pages, for programs. Each operation names its action; nothing opens without a token.

Errors are RFC 9457 problems. Lists go by falling id, `below` a cursor. What changes something may carry an
`Idempotency-Key`, and `If-Match` with the ETag that it was read with.
"""

import functools
import hashlib
import json
from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI, Query, Schema
from ninja.errors import AuthenticationError, ValidationError
from ninja.security import HttpBearer
from pydantic import Field

from muniment.access.actions import Action
from muniment.access.authorize import ORGANISATION, Actor, Resource, Why, authorize, products, somewhere
from muniment.access.roles import Role
from muniment.server import measures
from muniment.server.changes.models import Change
from muniment.server.guarding.mediation import Find, acting, allowing, anywhere
from muniment.server.people.acts import changes_things
from muniment.server.people.models import Person, Token
from muniment.server.people.tokens import actor_of_token
from muniment.server.policies.models import Leave, Version
from muniment.server.products.models import SIGNALS, Product
from muniment.server.proposals.doing import ask
from muniment.server.proposals.models import Answer
from muniment.server.record.models import Entry

_MOST = 100
_PROBLEM = "application/problem+json"


class Problem(Exception):
    """An answer that is a refusal: status, a code, and a sentence."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail


class _Token(HttpBearer):
    def authenticate(self, request: HttpRequest, token: str) -> Token | None:
        found: Token | None = Token.valid(token).first()
        if found is not None:
            request.actor = actor_of_token(found)  # type: ignore[attr-defined]
            request.token = found  # type: ignore[attr-defined]
        return found


api = NinjaAPI(title="Muniment", version="1", auth=_Token(), docs_url=None, urls_namespace="api")


def _problem(request: HttpRequest, status: int, code: str, detail: str) -> HttpResponse:
    body = {"type": f"urn:muniment:{code}", "title": code.replace("-", " "), "status": status, "detail": detail}
    return HttpResponse(json.dumps(body), status=status, content_type=_PROBLEM)


@api.exception_handler(Problem)
def _refused(request: HttpRequest, error: Problem) -> HttpResponse:
    return _problem(request, error.status, error.code, error.detail)


@api.exception_handler(AuthenticationError)
def _nobody(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    answer = _problem(request, 401, "no-token", "Send a valid token: Authorization: Bearer ...")
    answer["WWW-Authenticate"] = "Bearer"
    return answer


@api.exception_handler(ValidationError)
def _malformed(request: HttpRequest, error: ValidationError) -> HttpResponse:
    wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors)
    return _problem(request, 422, "malformed", wrong)


@api.exception_handler(Http404)
def _absent(request: HttpRequest, error: Http404) -> HttpResponse:
    return _problem(request, 404, "not-found", "There is no such thing, or you may not see it.")


@api.exception_handler(PermissionDenied)
def _denied(request: HttpRequest, error: PermissionDenied) -> HttpResponse:
    return _problem(request, 403, "not-allowed", "Your roles, or the token's, do not allow this.")


@api.exception_handler(ValueError)
def _impossible(request: HttpRequest, error: ValueError) -> HttpResponse:
    return _problem(request, 409, "impossible", str(error))


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


def _of(request: HttpRequest, slug: str, **_: Any) -> Resource:
    return Resource(product=slug)


class Cursor(Schema):
    """Where a page of a list begins, and how long it is."""

    below: int | None = Field(None, ge=1, lt=2**63)
    limit: int = Field(50, ge=1, le=_MOST)


class ProductIn(Schema):
    """A new product."""

    id: str = Field(max_length=64)
    name: str = Field(max_length=200)


class ProductPatch(Schema):
    """What to change of one. A signal is "yes", "no", or "" for not known."""

    model_config = {"extra": "forbid"}

    name: str | None = Field(None, max_length=200)
    sensitive: str | None = Field(None, max_length=20_000)
    deployed: str | None = None
    has_users: str | None = None
    holds_personal_data: str | None = None
    supported: str | None = None


class RepositoryIn(Schema):
    """A repository, by the path where the worker finds it."""

    name: str = Field(max_length=200)
    path: str = Field(max_length=1000)


class PersonIn(Schema):
    """A new person."""

    id: str = Field(max_length=64)
    name: str = Field(max_length=200)
    email: str = Field("", max_length=254)


class GrantIn(Schema):
    """A role to give or to take; `product` "" for everywhere."""

    role: Role
    product: str = ""
    do: str = Field("give", pattern="^(give|take)$")


def _page(rows: Any, cursor: Cursor, shape: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    if cursor.below is not None:
        rows = rows.filter(pk__lt=cursor.below)
    found = list(rows.order_by("-pk")[: cursor.limit + 1])
    shown = found[: cursor.limit]
    return {"items": [shape(row) for row in shown], "next": shown[-1].pk if len(found) > cursor.limit else None}


def _product(row: Product) -> dict[str, Any]:
    signals = {name: {True: "yes", False: "no", None: ""}[getattr(row, name)] for name in SIGNALS}
    return {"id": row.slug, "name": row.name, "active": row.active, "sensitive": row.sensitive, **signals}


def _etag(body: dict[str, Any]) -> str:
    return f'"{hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:32]}"'


def _shown(request: HttpRequest, action: Action) -> Any:
    found = products(acting(request), action)
    return Product.objects.all() if found is None else Product.objects.filter(slug__in=found)


def _once(request: HttpRequest, act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
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


def _told(waits: Any) -> dict[str, Any]:
    return {"done": True, "proposal": None} if waits is None else {"done": False, "proposal": waits.pk}


@api.get("/products")
@does(Action.SEE_STATE, anywhere)
def list_products(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """The products that the token may see."""
    return _page(_shown(request, Action.SEE_STATE), cursor, _product)


@api.post("/products")
@does(Action.ADD_PRODUCT)
def add_product(request: HttpRequest, body: ProductIn) -> dict[str, Any]:
    """Add one."""
    what = body.model_dump()
    return _once(request, lambda: _told(ask(acting(request), Action.ADD_PRODUCT, what, f"add the product {body.name}")))


@api.get("/products/{slug}")
@does(Action.SEE_STATE, _of)
def get_product(request: HttpRequest, response: HttpResponse, slug: str) -> dict[str, Any]:
    """One, with how it stands against each clause."""
    row = Product.objects.filter(slug=slug).first()
    if row is None:
        raise Http404
    body = _product(row)
    response["ETag"] = _etag(body)
    repositories = row.repositories.prefetch_related("states")
    body["repositories"] = [
        {
            "name": repository.name,
            "states": {state.clause: state.get_state_display() for state in repository.states.all()},
        }
        for repository in repositories
    ]
    return body


@api.patch("/products/{slug}")
@does(Action.CHANGE_PRODUCT, _of)
def change_product(request: HttpRequest, slug: str, body: ProductPatch) -> dict[str, Any]:
    """Describe one anew. Fields that are left out stay."""
    row = Product.objects.select_for_update().filter(slug=slug).first()
    if row is None:
        raise Http404
    wanted = request.headers.get("If-Match", "")
    if wanted and wanted != _etag(_product(row)):
        raise Problem(412, "changed-meanwhile", "It was changed since you read it: read it again.")
    kept = {name: value for name, value in _product(row).items() if name in ProductPatch.model_fields}
    what = {**kept, **body.model_dump(exclude_none=True), "id": slug, "do": "describe"}
    told = f"describe of {slug}: {what['name']}"
    return _told(ask(acting(request), Action.CHANGE_PRODUCT, what, told, product=slug))


@api.post("/products/{slug}/repositories")
@does(Action.CHANGE_PRODUCT, _of)
def add_repository(request: HttpRequest, slug: str, body: RepositoryIn) -> dict[str, Any]:
    """Add a repository."""
    what = {"id": slug, "do": "repository", **body.model_dump()}
    told = f"repository of {slug}: {body.name}"
    return _once(request, lambda: _told(ask(acting(request), Action.CHANGE_PRODUCT, what, told, product=slug)))


@api.get("/products/{slug}/changes")
@does(Action.SEE_CHANGE, _of)
def list_changes(request: HttpRequest, slug: str, cursor: Query[Cursor]) -> dict[str, Any]:
    """The changes of one, with the verdict on each."""
    rows = Change.objects.filter(repository__product__slug=slug).select_related("decision", "repository")
    return _page(rows, cursor, _change)


def _change(row: Change) -> dict[str, Any]:
    return {
        "number": row.pk,
        "repository": row.repository.name,
        "target": row.target,
        "head": row.head,
        "where": row.where,
        "allowed": None if row.decision is None else row.decision.allowed,
    }


@api.get("/people")
@does(Action.SEE_PEOPLE)
def list_people(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """Who is who."""
    rows = Person.objects.prefetch_related("grants__product")
    return _page(rows, cursor, _person)


def _person(row: Person) -> dict[str, Any]:
    held = [grant for grant in row.grants.all() if grant.ended is None]
    roles = [{"role": grant.role, "product": grant.product.slug if grant.product else ""} for grant in held]
    return {"id": row.slug, "name": row.name, "active": row.active, "roles": roles}


@api.post("/people")
@does(Action.CHANGE_PERSON)
def add_person(request: HttpRequest, body: PersonIn) -> dict[str, Any]:
    """Add somebody."""
    what = {"do": "add", **body.model_dump()}
    told = f"add {body.name} ({body.id})"
    return _once(request, lambda: _told(ask(acting(request), Action.CHANGE_PERSON, what, told)))


@api.post("/people/{slug}/roles")
@does(Action.GRANT_ROLE)
def change_role(request: HttpRequest, slug: str, body: GrantIn) -> dict[str, Any]:
    """Give a role or take one; what changes things waits for a second person."""
    dangerous = body.do == "give" and changes_things(body.role)
    action = Action.GRANT_CHANGING_ROLE if dangerous else Action.GRANT_ROLE
    what = {"id": slug, "do": body.do, "role": body.role.value, "product": body.product}
    told = f"{body.do} {slug} the role {body.role.label}"
    return _once(request, lambda: _told(ask(acting(request), action, what, told)))


@api.get("/exceptions")
@does(Action.SEE_EXCEPTIONS, anywhere)
def list_exceptions(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """Exceptions of the products that the token may see."""
    rows = Leave.objects.filter(repository__product__in=_shown(request, Action.SEE_EXCEPTIONS))
    return _page(rows.select_related("repository", "asker", "granter"), cursor, _exception)


def _exception(row: Leave) -> dict[str, Any]:
    return {
        "id": row.slug,
        "repository": row.repository.name,
        "clause": row.clause,
        "branch": row.branch,
        "head": row.head,
        "asker": row.asker.slug,
        "granter": row.granter.slug,
        "granted": row.granted.isoformat(),
        "expires": row.expires.isoformat(),
        "ended": row.ended.isoformat() if row.ended else None,
    }


@api.get("/policy")
@does(Action.SEE_POLICY)
def get_policy(request: HttpRequest) -> dict[str, Any]:
    """The policy in force."""
    row = Version.objects.filter(holds=True).first()
    if row is None:
        raise Http404
    return {"version": row.pk, "digest": row.digest, "text": row.text}


@api.get("/metrics")
@does(Action.SEE_WORK)
def metrics(request: HttpRequest) -> HttpResponse:
    """Numbers for a monitoring system, in Prometheus' text format."""
    return HttpResponse(measures.text(), content_type="text/plain; version=0.0.4; charset=utf-8")


@api.get("/entries")
@does(Action.SEE_LEDGER)
def list_entries(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """The ledger, newest first; `place` is null until an entry has one."""
    return _page(Entry.objects.all(), cursor, _entry)


def _entry(row: Entry) -> dict[str, Any]:
    return {"number": row.pk, "place": row.place, "entry": json.loads(bytes(row.data))}
