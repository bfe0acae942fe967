"""Secrets, as programs see them: names and ages go out, values only in. Nothing keeps a digest of a request here."""

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field, SecretStr

from muniment.access.actions import Action
from muniment.server.api.operations import Cursor, does, of, once, outcome, page
from muniment.server.guarding.mediation import acting
from muniment.server.proposals.doing import ask
from muniment.server.secrets.acts import LONGEST, put
from muniment.server.secrets.models import Secret
from muniment.server.secrets.views import removal

router = Router()


class SecretIn(Schema):
    """A secret. Without a value, one is generated that nobody sees. `replace`: whether it has to be there already;
    left out, it may be or not. `public`: it hides nothing, and is not masked.
    """

    model_config = {"extra": "forbid"}

    value: SecretStr | None = Field(None, max_length=LONGEST)
    replace: bool | None = None
    public: bool = False


@router.get("/products/{slug}/environments/{name}/secrets")
@does(Action.SEE_SECRETS, of)
def list_secrets(request: HttpRequest, slug: str, name: str, cursor: Query[Cursor]) -> dict[str, Any]:
    """The names of an environment's secrets, and how old they are."""
    rows = Secret.objects.filter(environment__product__slug=slug, environment__name=name, environment__ended=None)
    return page(rows.select_related("by"), cursor, _secret)


@router.put("/products/{slug}/environments/{name}/secrets/{secret}")
@does(Action.SET_SECRET, of)
def set_secret(request: HttpRequest, slug: str, name: str, secret: str, body: SecretIn) -> dict[str, Any]:
    """Set or replace one. Sent again, it is set again: no Idempotency-Key is looked at, for that would be kept."""
    value = body.value.get_secret_value() if body.value is not None else None
    put(acting(request), slug, name, secret, value, there=body.replace, public=body.public)
    return outcome(None)


@router.delete("/products/{slug}/environments/{name}/secrets/{secret}")
@does(Action.REMOVE_SECRET, of)
def remove_secret(request: HttpRequest, slug: str, name: str, secret: str) -> dict[str, Any]:
    """Ask for one to be removed: a second person agrees."""
    what = {"id": slug, "environment": name, "name": secret}
    return once(request, lambda: outcome(ask(acting(request), Action.REMOVE_SECRET, what, removal(what), product=slug)))


def _secret(row: Secret) -> dict[str, Any]:
    return {
        "name": row.name,
        "changed": row.changed.isoformat(),
        "by": row.by.slug,
        "generated": row.generated,
        "public": row.public,
    }
