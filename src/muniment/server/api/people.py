"""People and their roles, as programs see them."""

from datetime import date
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.server.api.operations import Cursor, does, once, outcome, page
from muniment.server.guarding.mediation import acting
from muniment.server.people.acts import changes_things, grant_told
from muniment.server.people.models import Grant, Person
from muniment.server.proposals.doing import ask

router = Router()


class PersonIn(Schema):
    """A new person."""

    id: str = Field(max_length=64)
    name: str = Field(max_length=200)
    email: str = Field("", max_length=254)


class GrantIn(Schema):
    """A role to give or to take; `product` "" for everywhere; `last` the last day on which it holds."""

    role: Role
    product: str = ""
    last: date | None = None
    do: str = Field("give", pattern="^(give|take)$")


@router.get("/people")
@does(Action.SEE_PEOPLE)
def list_people(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, Any]:
    """Who is who."""
    rows = Person.objects.prefetch_related("grants__product")
    return page(rows, cursor, _person)


def _person(row: Person) -> dict[str, Any]:
    roles = [_role(grant) for grant in row.grants.all() if grant.holds]
    return {"id": row.slug, "name": row.name, "active": row.active, "roles": roles}


def _role(grant: Grant) -> dict[str, Any]:
    last = grant.last.isoformat() if grant.last else ""
    return {"role": grant.role, "product": grant.product.slug if grant.product else "", "last": last}


@router.post("/people")
@does(Action.CHANGE_PERSON)
def add_person(request: HttpRequest, body: PersonIn) -> dict[str, Any]:
    """Add somebody."""
    what = {"do": "add", **body.model_dump()}
    told = f"add {body.name} ({body.id})"
    return once(request, lambda: outcome(ask(acting(request), Action.CHANGE_PERSON, what, told)))


@router.post("/people/{slug}/roles")
@does(Action.GRANT_ROLE)
def change_role(request: HttpRequest, slug: str, body: GrantIn) -> dict[str, Any]:
    """Give a role or take one; what changes things waits for a second person."""
    dangerous = body.do == "give" and changes_things(body.role)
    action = Action.GRANT_CHANGING_ROLE if dangerous else Action.GRANT_ROLE
    last = body.last.isoformat() if body.last else ""
    what = {"id": slug, "do": body.do, "role": body.role.value, "product": body.product, "last": last}
    return once(request, lambda: outcome(ask(acting(request), action, what, grant_told(what))))
