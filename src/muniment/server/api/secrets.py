"""Secrets, as programs see them: names and ages go out, values only in. Nothing keeps a digest of a request here."""

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router
from pydantic import Field, SecretStr

from muniment.access.actions import Action
from muniment.server.acts.schemas import body_of
from muniment.server.api_operations import Cursor, does, of, outcome, page, run_act
from muniment.server.secrets.models import Secret
from muniment.server.secrets.secret_acts import LONGEST, RemoveSecret, RestoreSecret, RollBackSecret, SetSecret
from muniment.vault.leaves import ValueSummary

router = Router()


_FIXED = ("product", "environment", "name")


class SecretBody(body_of(SetSecret, fixed=_FIXED)):  # type: ignore[misc]  # made at run time, from the act's fields
    """A secret. Without a value, one is generated that nobody sees."""

    value: SecretStr | None = Field(None, max_length=LONGEST)


RollBackBody = body_of(RollBackSecret, fixed=_FIXED)


@router.get("/products/{slug}/environments/{name}/secrets")
@does(Action.SEE_SECRETS, of)
def list_secrets(request: HttpRequest, slug: str, name: str, cursor: Query[Cursor]) -> dict[str, Any]:
    """The names of an environment's secrets, and how old they are."""
    rows = Secret.objects.filter(environment__product__slug=slug, environment__name=name, environment__ended_at=None)
    rows = rows.filter(removed_at=None).select_related("set_by").prefetch_related("versions")
    return page(rows, cursor, _secret)


@router.put("/products/{slug}/environments/{name}/secrets/{secret}")
@does(Action.SET_SECRET, of)
def set_secret(request: HttpRequest, slug: str, name: str, secret: str, body: SecretBody) -> dict[str, Any]:
    """Set or replace one. Sent again, it is set again: no Idempotency-Key is looked at, for that would be kept."""
    return run_act(request, SetSecret, _fixed(slug, name, secret), answer=_stored, value_field="value")


@router.delete("/products/{slug}/environments/{name}/secrets/{secret}")
@does(Action.REMOVE_SECRET, of)
def remove_secret(request: HttpRequest, slug: str, name: str, secret: str) -> dict[str, Any]:
    """Request that one is removed: a second person approves."""
    return run_act(request, RemoveSecret, _fixed(slug, name, secret))


@router.post("/products/{slug}/environments/{name}/secrets/{secret}/rollback")
@does(Action.SET_SECRET, of)
def roll_back_secret(
    request: HttpRequest,
    slug: str,
    name: str,
    secret: str,
    body: RollBackBody,  # type: ignore[valid-type]  # made at run time, from the act's fields
) -> dict[str, Any]:
    """Let an earlier version count again, the one before if none is named. No value is read for it."""
    return run_act(request, RollBackSecret, _fixed(slug, name, secret))


@router.post("/products/{slug}/environments/{name}/secrets/{secret}/restoration")
@does(Action.SET_SECRET, of)
def restore_secret(request: HttpRequest, slug: str, name: str, secret: str) -> dict[str, Any]:
    """Undo a removal, within a day of it."""
    return run_act(request, RestoreSecret, _fixed(slug, name, secret))


def _stored(summary: ValueSummary | None) -> dict[str, Any]:
    """The answer about a secret that was set: size and masked parts of a typed value, never the value."""
    return {**outcome(None), **({} if summary is None else summary._asdict())}


def _fixed(product: str, environment: str, name: str) -> dict[str, object]:
    return {"product": product, "environment": environment, "name": name}


def _secret(row: Secret) -> dict[str, Any]:
    return {
        "name": row.name,
        "changed": row.set_at.isoformat(),
        "set_by": row.set_by.slug,
        "generated": row.generated,
        "public": row.public,
        "version": row.version,
        "versions": [one.number for one in row.versions.all()],
    }
