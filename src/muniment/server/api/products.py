"""Products, as programs see them."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from pydantic import Field

from muniment.access.actions import Action
from muniment.server.api.operations import Cursor, does, etag, of, once, outcome, page, shown, unchanged
from muniment.server.changes.models import Change
from muniment.server.guarding.mediation import acting, anywhere
from muniment.server.products.models import SIGNALS, Product, Repository
from muniment.server.proposals.doing import ask

router = Router()


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


def _product(row: Product) -> dict[str, Any]:
    signals = {name: {True: "yes", False: "no", None: ""}[getattr(row, name)] for name in SIGNALS}
    return {"id": row.slug, "name": row.name, "active": row.active, "sensitive": row.sensitive, **signals}


@router.get("/products")
@does(Action.SEE_STATE, anywhere)
def list_products(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """The products that the token may see."""
    return page(shown(request, Action.SEE_STATE), cursor, _product)


@router.post("/products")
@does(Action.ADD_PRODUCT)
def add_product(request: HttpRequest, body: ProductIn) -> dict[str, Any]:
    """Add one."""
    what = body.model_dump()
    return once(
        request, lambda: outcome(ask(acting(request), Action.ADD_PRODUCT, what, f"add the product {body.name}"))
    )


@router.get("/products/{slug}")
@does(Action.SEE_STATE, of)
def get_product(request: HttpRequest, response: HttpResponse, slug: str) -> dict[str, Any]:
    """One, with how it stands against each clause."""
    row = Product.objects.filter(slug=slug).first()
    if row is None:
        raise Http404
    body = _product(row)
    response["ETag"] = etag(body)
    repositories = row.repositories.prefetch_related("states")
    body["repositories"] = [
        {
            "name": repository.name,
            "states": {state.clause: state.get_state_display() for state in repository.states.all()},
        }
        for repository in repositories
    ]
    return body


@router.patch("/products/{slug}")
@does(Action.CHANGE_PRODUCT, of)
def change_product(request: HttpRequest, slug: str, body: ProductPatch) -> dict[str, Any]:
    """Describe one anew. Fields that are left out stay."""
    row = Product.objects.select_for_update().filter(slug=slug).first()
    if row is None:
        raise Http404
    unchanged(request, _product(row))
    kept = {name: value for name, value in _product(row).items() if name in ProductPatch.model_fields}
    what = {**kept, **body.model_dump(exclude_none=True), "id": slug, "do": "describe"}
    told = f"describe of {slug}: {what['name']}"
    return outcome(ask(acting(request), Action.CHANGE_PRODUCT, what, told, product=slug))


@router.get("/products/{slug}/repositories")
@does(Action.SEE_STATE, of)
def list_repositories(request: HttpRequest, slug: str, cursor: Query[Cursor]) -> dict[str, Any]:
    """Its repositories, and how far each is judged."""
    rows = Repository.objects.filter(product__slug=slug).select_related("reading", "gate_log")
    return page(rows, cursor, _repository)


def _repository(row: Repository) -> dict[str, Any]:
    reading, gate = getattr(row, "reading", None), getattr(row, "gate_log", None)
    return {
        "name": row.name,
        "path": row.path,
        "branch": reading.branch if reading else "",
        "done": reading.done if reading else 0,
        "total": reading.total if reading else 0,
        "problem": reading.problem if reading else "",
        "gate": {"entries": gate.size, "problem": gate.problem} if gate else None,
    }


@router.post("/products/{slug}/repositories")
@does(Action.CHANGE_PRODUCT, of)
def add_repository(request: HttpRequest, slug: str, body: RepositoryIn) -> dict[str, Any]:
    """Add a repository."""
    what = {"id": slug, "do": "repository", **body.model_dump()}
    told = f"repository of {slug}: {body.name}"
    return once(request, lambda: outcome(ask(acting(request), Action.CHANGE_PRODUCT, what, told, product=slug)))


@router.get("/products/{slug}/changes")
@does(Action.SEE_CHANGE, of)
def list_changes(request: HttpRequest, slug: str, cursor: Query[Cursor]) -> dict[str, Any]:
    """The changes of one, with the verdict on each."""
    rows = Change.objects.filter(repository__product__slug=slug).select_related("decision", "repository")
    return page(rows, cursor, _change)


def _change(row: Change) -> dict[str, Any]:
    return {
        "number": row.pk,
        "repository": row.repository.name,
        "target": row.target,
        "head": row.head,
        "where": row.where,
        "allowed": None if row.decision is None else row.decision.allowed,
    }
