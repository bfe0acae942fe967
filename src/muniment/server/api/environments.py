"""Environments and the pipelines that may deploy there, as programs see them."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from pydantic import Field

from muniment.access.actions import Action
from muniment.server.api.operations import Cursor, does, etag, of, once, outcome, page, unchanged
from muniment.server.deployments.environments import told_of
from muniment.server.deployments.models import Pipeline
from muniment.server.guarding.mediation import acting
from muniment.server.products.models import Environment
from muniment.server.proposals.doing import ask

router = Router()


class EnvironmentIn(Schema):
    """A new environment: it comes after all others, and is production until two people say otherwise."""

    name: str = Field(max_length=64)


class EnvironmentPatch(Schema):
    """What to change of one. `order`: something goes to lower ones first."""

    model_config = {"extra": "forbid"}

    order: int | None = Field(None, ge=1, le=100)
    production: bool | None = None


class PipelineIn(Schema):
    """A pipeline that may deploy there, and how it proves that it is it. `refs` are patterns: refs/heads/main."""

    model_config = {"extra": "forbid"}

    name: str = Field(max_length=64)
    kind: Pipeline.Kind
    issuer: str = Field("", max_length=300)
    subject: str = Field("", max_length=500)
    repository: str = Field("", max_length=64)
    refs: list[str] = Field([], max_length=20)
    at: str = Field("", max_length=200)
    key: str = Field("", max_length=2000)


@router.get("/products/{slug}/environments")
@does(Action.SEE_DEPLOYMENTS, of)
def list_environments(request: HttpRequest, slug: str, cursor: Query[Cursor]) -> dict[str, Any]:
    """The environments of a product, with the pipelines that may deploy to each."""
    rows = Environment.objects.filter(product__slug=slug, ended=None).prefetch_related("pipelines")
    return page(rows, cursor, _environment)


@router.post("/products/{slug}/environments")
@does(Action.CHANGE_PRODUCT, of)
def add_environment(request: HttpRequest, slug: str, body: EnvironmentIn) -> dict[str, Any]:
    """Add one."""
    what = {"id": slug, "do": "environment", "name": body.name}
    told = f"environment of {slug}: {body.name}"
    return once(request, lambda: outcome(ask(acting(request), Action.CHANGE_PRODUCT, what, told, product=slug)))


@router.get("/products/{slug}/environments/{name}")
@does(Action.SEE_DEPLOYMENTS, of)
def get_environment(request: HttpRequest, response: HttpResponse, slug: str, name: str) -> dict[str, Any]:
    """One."""
    body = _environment(_found(slug, name))
    response["ETag"] = etag(body)
    return body


@router.patch("/products/{slug}/environments/{name}")
@does(Action.CHANGE_ENVIRONMENT, of)
def change_environment(request: HttpRequest, slug: str, name: str, body: EnvironmentPatch) -> dict[str, Any]:
    """Give it another place, or say whether it is production: a second person agrees."""
    row = _found(slug, name)
    unchanged(request, _environment(row))
    order = row.order if body.order is None else body.order
    production = row.production if body.production is None else body.production
    return _asked(request, slug, name, {"do": "describe", "order": order, "production": "yes" if production else "no"})


@router.delete("/products/{slug}/environments/{name}")
@does(Action.CHANGE_PRODUCT, of)
def drop_environment(request: HttpRequest, slug: str, name: str) -> dict[str, Any]:
    """Nothing is deployed there any more. What was stays known."""
    unchanged(request, _environment(_found(slug, name)))
    what = {"id": slug, "do": "drop-environment", "name": name}
    told = f"drop-environment of {slug}: {name}"
    return once(request, lambda: outcome(ask(acting(request), Action.CHANGE_PRODUCT, what, told, product=slug)))


@router.post("/products/{slug}/environments/{name}/pipelines")
@does(Action.CHANGE_ENVIRONMENT, of)
def trust_pipeline(request: HttpRequest, slug: str, name: str, body: PipelineIn) -> dict[str, Any]:
    """Let one more pipeline deploy there: a second person agrees."""
    _found(slug, name)
    given = body.model_dump()
    what = {**given, "pipeline": given.pop("name"), "refs": "\n".join(body.refs), "kind": body.kind.value}
    return _asked(request, slug, name, {"do": "trust", **what})


@router.delete("/products/{slug}/environments/{name}/pipelines/{pipeline}")
@does(Action.CLOSE_PIPELINE, of)
def close_pipeline(request: HttpRequest, slug: str, name: str, pipeline: str) -> dict[str, Any]:
    """It may no longer deploy there, from this moment on."""
    what = {"id": slug, "environment": name, "pipeline": pipeline}
    told = f"let {pipeline} no longer deploy to {name} of {slug}"
    return once(request, lambda: outcome(ask(acting(request), Action.CLOSE_PIPELINE, what, told, product=slug)))


def _asked(request: HttpRequest, slug: str, name: str, more: dict[str, Any]) -> dict[str, Any]:
    what = {"id": slug, "environment": name, **more}
    told = told_of(what)
    return once(request, lambda: outcome(ask(acting(request), Action.CHANGE_ENVIRONMENT, what, told, product=slug)))


def _found(slug: str, name: str) -> Environment:
    rows = Environment.objects.filter(product__slug=slug, name=name, ended=None)
    found = rows.select_related("product").prefetch_related("pipelines").first()
    if found is None:
        raise Http404
    return found


def _environment(row: Environment) -> dict[str, Any]:
    trusted = [_pipeline(one) for one in row.pipelines.all() if one.ended is None]
    return {"name": row.name, "order": row.order, "production": row.production, "pipelines": trusted}


def _pipeline(row: Pipeline) -> dict[str, Any]:
    return {
        "name": row.name,
        "kind": row.kind,
        "issuer": row.issuer,
        "subject": row.subject,
        "repository": row.repository,
        "refs": list(row.patterns),
        "at": row.at,
        "key": row.key,
        "since": row.since.isoformat(),
    }
