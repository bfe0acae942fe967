"""Environments and the pipelines that may deploy there, as programs see them."""

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
)
from muniment.server.deployments.environment_acts import ChangeEnvironment
from muniment.server.deployments.models import PipelineIdentity
from muniment.server.deployments.pipeline_acts import RevokePipeline, TrustPipeline
from muniment.server.products.environment_acts import AddEnvironment, RemoveEnvironment
from muniment.server.products.models import Environment

router = Router()

EnvironmentBody = build_body_schema(AddEnvironment, fixed=("product",))  # made at run time, from the fields of the act


# types that are made at run time, from the fields of the acts
ChangeBody = build_body_schema(ChangeEnvironment, fixed=("product", "environment"), optional=True)
PipelineBody = build_body_schema(TrustPipeline, fixed=("product", "environment"))


@router.get("/products/{slug}/environments")
@for_action(Action.SEE_DEPLOYMENTS, product_from_url)
def list_environments(request: HttpRequest, slug: str, cursor: Query[Cursor]) -> dict[str, object]:
    """List the environments of a product, with the pipelines that may deploy to each."""
    rows = Environment.objects.filter(product__slug=slug, ended_at=None).prefetch_related("pipelines")
    return page_by_number(rows, cursor, _serialize_environment)


@router.post("/products/{slug}/environments")
@for_action(Action.CHANGE_PRODUCT, product_from_url)
def add_environment(request: HttpRequest, slug: str, body: EnvironmentBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Add an environment to a product."""
    return run_act(request, AddEnvironment, {"product": slug})


@router.get("/products/{slug}/environments/{name}")
@for_action(Action.SEE_DEPLOYMENTS, product_from_url)
def get_environment(request: HttpRequest, response: HttpResponse, slug: str, name: str) -> dict[str, object]:
    """Show an environment, with its pipelines."""
    body = _serialize_environment(_find_environment(slug, name))
    response["ETag"] = compute_etag(body)
    return body


@router.patch("/products/{slug}/environments/{name}")
@for_action(Action.CHANGE_ENVIRONMENT, product_from_url)
def change_environment(
    request: HttpRequest,
    slug: str,
    name: str,
    body: ChangeBody,  # type: ignore[valid-type]
) -> dict[str, object]:
    """Change its order, or whether it is production: a second person approves."""
    row = _find_environment(slug, name)
    require_unchanged(request, _serialize_environment(row))
    current = {"order": row.order, "production": row.production}
    return run_act(request, ChangeEnvironment, {"product": slug, "environment": name}, current)


@router.delete("/products/{slug}/environments/{name}")
@for_action(Action.CHANGE_PRODUCT, product_from_url)
def remove_environment(request: HttpRequest, slug: str, name: str) -> dict[str, object]:
    """Remove an environment: nothing is deployed there any more; its past stays known."""
    require_unchanged(request, _serialize_environment(_find_environment(slug, name)))
    return run_act(request, RemoveEnvironment, {"product": slug, "environment": name})


@router.post("/products/{slug}/environments/{name}/pipelines")
@for_action(Action.CHANGE_ENVIRONMENT, product_from_url)
def trust_pipeline(
    request: HttpRequest,
    slug: str,
    name: str,
    body: PipelineBody,  # type: ignore[valid-type]
) -> dict[str, object]:
    """Trust another pipeline to deploy there: a second person approves."""
    _find_environment(slug, name)
    return run_act(request, TrustPipeline, {"product": slug, "environment": name})


@router.delete("/products/{slug}/environments/{name}/pipelines/{pipeline}")
@for_action(Action.REVOKE_PIPELINE, product_from_url)
def revoke_pipeline(request: HttpRequest, slug: str, name: str, pipeline: str) -> dict[str, object]:
    """Revoke a pipeline's permission to deploy there, from this moment on."""
    return run_act(request, RevokePipeline, {"product": slug, "environment": name, "pipeline": pipeline})


def _find_environment(slug: str, name: str) -> Environment:
    rows = Environment.objects.filter(product__slug=slug, name=name, ended_at=None)
    found = rows.select_related("product").prefetch_related("pipelines").first()
    if found is None:
        raise Http404
    return found


def _serialize_environment(row: Environment) -> dict[str, object]:
    trusted = [_serialize_pipeline(one) for one in row.pipelines.all() if one.ended_at is None]
    return {"name": row.name, "order": row.order, "production": row.production, "pipelines": trusted}


def _serialize_pipeline(row: PipelineIdentity) -> dict[str, object]:
    return {
        "name": row.name,
        "kind": row.kind,
        "issuer": row.issuer,
        "subject_claim": row.subject,
        "forge_repository_id": row.forge_repository_id,
        "forge_environment": row.forge_environment,
        "ref_patterns": list(row.patterns),
        "public_key": row.public_key,
        "purpose": row.purpose,
        "workflow_paths": list(row.workflows),
        "since": row.trusted_at.isoformat(),
    }
