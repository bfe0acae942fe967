"""The policy and its exceptions, as programs see them."""

from typing import Any

from django.http import Http404, HttpRequest
from ninja import Query, Router

from muniment.access.actions import Action
from muniment.server.api.operations import Cursor, does, page, shown
from muniment.server.guarding.mediation import anywhere
from muniment.server.policies.models import Leave, Version

router = Router()


@router.get("/exceptions")
@does(Action.SEE_EXCEPTIONS, anywhere)
def list_exceptions(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """Exceptions of the products that the token may see."""
    rows = Leave.objects.filter(repository__product__in=shown(request, Action.SEE_EXCEPTIONS))
    return page(rows.select_related("repository", "asker", "granter"), cursor, _exception)


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


@router.get("/policy")
@does(Action.SEE_POLICY)
def get_policy(request: HttpRequest) -> dict[str, Any]:
    """The policy in force."""
    row = Version.objects.filter(holds=True).first()
    if row is None:
        raise Http404
    return {"version": row.pk, "digest": row.digest, "text": row.text}
