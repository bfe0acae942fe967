"""Secrets, as programs see them: names and ages are shown, values are only taken. No digest of a request is stored
here.
"""

from django.http import HttpRequest
from ninja import Query, Router
from pydantic import Field, SecretStr

from muniment.access.actions import Action
from muniment.server.acts.schemas import build_body_schema
from muniment.server.api_operations import (
    Cursor,
    for_action,
    page_by_number,
    product_from_url,
    run_act,
    serialize_outcome,
)
from muniment.server.secrets.models import Secret
from muniment.server.secrets.secret_acts import LONGEST_SECRET, RemoveSecret, RestoreSecret, RollBackSecret, SetSecret
from muniment.vault.secret_parts import ValueSummary

router = Router()


_FIXED = ("product", "environment", "name")


class SecretBody(build_body_schema(SetSecret, fixed=_FIXED)):  # type: ignore[misc]  # made at run time, from the act's fields
    """Body of a secret. Without a value, one is generated that nobody sees."""

    value: SecretStr | None = Field(None, max_length=LONGEST_SECRET)


RollBackBody = build_body_schema(RollBackSecret, fixed=_FIXED)


@router.get("/products/{slug}/environments/{name}/secrets")
@for_action(Action.SEE_SECRETS, product_from_url)
def list_secrets(request: HttpRequest, slug: str, name: str, cursor: Query[Cursor]) -> dict[str, object]:
    """List the names of an environment's secrets, and how old they are."""
    rows = Secret.objects.filter(environment__product__slug=slug, environment__name=name, environment__ended_at=None)
    rows = rows.filter(removed_at=None).select_related("set_by").prefetch_related("versions")
    return page_by_number(rows, cursor, _serialize_secret)


@router.put("/products/{slug}/environments/{name}/secrets/{secret}")
@for_action(Action.SET_SECRET, product_from_url)
def set_secret(request: HttpRequest, slug: str, name: str, secret: str, body: SecretBody) -> dict[str, object]:
    """Set or replace a secret. A repeated request sets it again: an Idempotency-Key is ignored, for its answer
    would be stored.
    """
    return run_act(
        request, SetSecret, _collect_fixed_fields(slug, name, secret), build_body=_serialize_stored, value_field="value"
    )


@router.delete("/products/{slug}/environments/{name}/secrets/{secret}")
@for_action(Action.REMOVE_SECRET, product_from_url)
def remove_secret(request: HttpRequest, slug: str, name: str, secret: str) -> dict[str, object]:
    """Request that a secret is removed: a second person approves."""
    return run_act(request, RemoveSecret, _collect_fixed_fields(slug, name, secret))


@router.post("/products/{slug}/environments/{name}/secrets/{secret}/rollback")
@for_action(Action.SET_SECRET, product_from_url)
def roll_back_secret(
    request: HttpRequest,
    slug: str,
    name: str,
    secret: str,
    body: RollBackBody,  # type: ignore[valid-type]  # made at run time, from the act's fields
) -> dict[str, object]:
    """Let an earlier version count again, the one before if none is named. No value is read for it."""
    return run_act(request, RollBackSecret, _collect_fixed_fields(slug, name, secret))


@router.post("/products/{slug}/environments/{name}/secrets/{secret}/restoration")
@for_action(Action.SET_SECRET, product_from_url)
def restore_secret(request: HttpRequest, slug: str, name: str, secret: str) -> dict[str, object]:
    """Undo a removal, within a day of it."""
    return run_act(request, RestoreSecret, _collect_fixed_fields(slug, name, secret))


def _serialize_stored(summary: ValueSummary | None) -> dict[str, object]:
    """Answer about a secret that was set: size and masked parts of a typed value, never the value."""
    return {**serialize_outcome(None), **({} if summary is None else summary._asdict())}


def _collect_fixed_fields(product: str, environment: str, name: str) -> dict[str, object]:
    return {"product": product, "environment": environment, "name": name}


def _serialize_secret(row: Secret) -> dict[str, object]:
    return {
        "name": row.name,
        "changed": row.set_at.isoformat(),
        "set_by": row.set_by.slug,
        "generated": row.generated,
        "public": row.public,
        "version": row.version,
        "versions": [one.number for one in row.versions.all()],
    }
