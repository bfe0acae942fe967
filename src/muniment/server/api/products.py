"""Products, as programs see them."""

from django.http import Http404, HttpRequest, HttpResponse
from ninja import Query, Router

from muniment.access.actions import Action
from muniment.server.acts.schemas import build_body_schema
from muniment.server.api_operations import (
    Cursor,
    compute_etag,
    for_action,
    page_by_number,
    product_from_url,
    require_unchanged,
    run_act,
    visible_products,
)
from muniment.server.changes.models import Change
from muniment.server.changes.repository_acts import AddRepository, CorrectRepository
from muniment.server.guarding.mediation import find_no_resource
from muniment.server.products.models import SIGNALS, ClauseResult, Product, Repository
from muniment.server.products.product_acts import AddProduct, ChangeProduct

router = Router()


# types that are made at run time, from the fields of the acts
ProductBody = build_body_schema(AddProduct)
ProductPatch = build_body_schema(ChangeProduct, fixed=("product",), optional=True)
RepositoryBody = build_body_schema(AddRepository, fixed=("product",))
CorrectedRepositoryBody = build_body_schema(CorrectRepository, fixed=("product",))


def _serialize_product(row: Product) -> dict[str, object]:
    signals = {name: {True: "yes", False: "no", None: ""}[getattr(row, name)] for name in SIGNALS}
    return {"id": row.slug, "name": row.name, "active": row.active, "sensitive": row.sensitive_patterns, **signals}


@router.get("/products")
@for_action(Action.SEE_PRODUCT, find_no_resource)
def list_products(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, object]:
    """List the products that the token may see."""
    return page_by_number(visible_products(request, Action.SEE_PRODUCT), cursor, _serialize_product)


@router.post("/products")
@for_action(Action.ADD_PRODUCT)
def add_product(request: HttpRequest, body: ProductBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Add a product, with its criteria."""
    return run_act(request, AddProduct, {})


@router.get("/products/{slug}")
@for_action(Action.SEE_PRODUCT, product_from_url)
def get_product(request: HttpRequest, response: HttpResponse, slug: str) -> dict[str, object]:
    """Show a product, with its result for each clause."""
    row = Product.objects.filter(slug=slug).first()
    if row is None:
        raise Http404
    body = _serialize_product(row)
    response["ETag"] = compute_etag(body)
    repositories = row.repositories.prefetch_related("clause_states")
    body["repositories"] = [
        {
            "name": repository.name,
            "states": {
                state.clause: ClauseResult(state.state).name.lower() for state in repository.clause_states.all()
            },
        }
        for repository in repositories
    ]
    return body


@router.patch("/products/{slug}")
@for_action(Action.CHANGE_PRODUCT, product_from_url)
def change_product(request: HttpRequest, slug: str, body: ProductPatch) -> dict[str, object]:  # type: ignore[valid-type]
    """Describe a product anew. Fields that are left out stay."""
    row = Product.objects.select_for_update().filter(slug=slug).first()
    if row is None:
        raise Http404
    current = _serialize_product(row)
    require_unchanged(request, current)
    described = {name: value for name, value in current.items() if name not in ("id", "active")}
    return run_act(request, ChangeProduct, {"product": slug}, described)


@router.get("/products/{slug}/repositories")
@for_action(Action.SEE_PRODUCT, product_from_url)
def list_repositories(request: HttpRequest, slug: str, cursor: Query[Cursor]) -> dict[str, object]:
    """List the repositories of a product, with the progress of their evaluation."""
    rows = Repository.objects.filter(product__slug=slug).select_related("scan", "hook_log")
    return page_by_number(rows, cursor, _serialize_repository)


def _serialize_repository(row: Repository) -> dict[str, object]:
    reading, hook_log = getattr(row, "scan", None), getattr(row, "hook_log", None)
    return {
        "name": row.name,
        "path": row.path,
        "branch": reading.branch if reading else "",
        "evaluated_count": reading.evaluated_count if reading else 0,
        "total": reading.change_count if reading else 0,
        "problem": reading.problem if reading else "",
        "hook_log": {"record_count": hook_log.verified_size, "problem": hook_log.problem} if hook_log else None,
    }


@router.post("/products/{slug}/repositories")
@for_action(Action.CHANGE_PRODUCT, product_from_url)
def add_repository(request: HttpRequest, slug: str, body: RepositoryBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Add a repository to a product."""
    return run_act(request, AddRepository, {"product": slug})


@router.patch("/products/{slug}/repositories")
@for_action(Action.CHANGE_PRODUCT, product_from_url)
def correct_repository(
    request: HttpRequest,
    slug: str,
    body: CorrectedRepositoryBody,  # type: ignore[valid-type]
) -> dict[str, object]:
    """Correct the name and path of a repository of which nothing was read."""
    return run_act(request, CorrectRepository, {"product": slug})


@router.get("/products/{slug}/changes")
@for_action(Action.SEE_CHANGE, product_from_url)
def list_changes(request: HttpRequest, slug: str, cursor: Query[Cursor]) -> dict[str, object]:
    """List the changes of a product, with the decision on each."""
    rows = Change.objects.filter(repository__product__slug=slug).select_related("decision", "repository")
    return page_by_number(rows, cursor, _serialize_change)


def _serialize_change(row: Change) -> dict[str, object]:
    return {
        "number": row.pk,
        "repository": row.repository.name,
        "target": row.target,
        "head": row.head,
        "state": row.state,
        "allowed": None if row.decision is None else row.decision.allowed,
    }
