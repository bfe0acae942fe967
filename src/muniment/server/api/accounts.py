"""One person, and what is theirs: addresses, keys and logins, as programs see them."""

from typing import Any

from django.http import Http404, HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from muniment.access.actions import Action
from muniment.server.api.operations import Cursor, does, once, outcome, page
from muniment.server.guarding.mediation import acting, may
from muniment.server.people.models import Account, Person
from muniment.server.people.privacy import kept_of
from muniment.server.proposals.doing import ask
from muniment.server.record.entering import act

router = Router()


class PersonPatch(Schema):
    """What to change of somebody. Fields that are left out stay."""

    model_config = {"extra": "forbid"}

    name: str | None = Field(None, max_length=200)
    email: str | None = Field(None, max_length=254)


class AccountIn(Schema):
    """An address, key or login that the token's person vouches for."""

    kind: str = Field(pattern="^(email|key|login)$")
    value: str = Field(max_length=2000)


class Reason(Schema):
    """Why."""

    reason: str = Field("", max_length=2000)


@router.get("/people/{slug}")
@does(Action.SEE_PEOPLE)
def get_person(request: HttpRequest, slug: str) -> dict[str, Any]:
    """One person, with every role that they hold or held."""
    row = _person(slug)
    grants = row.grants.select_related("product", "by", "second").order_by("-pk")
    found = {"id": row.slug, "name": row.name, "active": row.active, "roles": [_grant(one) for one in grants]}
    if may(request, Action.SEE_PERSONAL) or slug == acting(request).person:
        found["email"] = row.email
    return found


def _grant(row: Any) -> dict[str, Any]:
    return {
        "role": row.role,
        "product": row.product.slug if row.product else "",
        "since": row.since.isoformat(),
        "ended": row.ended.isoformat() if row.ended else None,
        "by": row.by.slug if row.by else None,
        "second": row.second.slug if row.second else None,
        "group": row.group,
        "bootstrap": row.bootstrap,
    }


@router.patch("/people/{slug}")
@does(Action.CHANGE_PERSON)
def change_person(request: HttpRequest, slug: str, body: PersonPatch) -> dict[str, Any]:
    """Change name or address."""
    row = _person(slug)
    kept = {"name": row.name, "email": row.email or ""}
    what = {**kept, **body.model_dump(exclude_none=True), "id": slug, "do": "change"}
    told = f"change the particulars of {slug}"
    return once(request, lambda: outcome(ask(acting(request), Action.CHANGE_PERSON, what, told)))


@router.post("/people/{slug}/leave")
@does(Action.CHANGE_PERSON)
def let_leave(request: HttpRequest, slug: str) -> dict[str, Any]:
    """They leave: everything of theirs ends at once."""
    return _step(request, slug, "leave", f"let leave: {slug}")


@router.post("/people/{slug}/return")
@does(Action.CHANGE_PERSON)
def let_return(request: HttpRequest, slug: str) -> dict[str, Any]:
    """They come back, without roles."""
    return _step(request, slug, "return", f"let come back: {slug}")


def _step(request: HttpRequest, slug: str, do: str, told: str) -> dict[str, Any]:
    what = {"id": _person(slug).slug, "do": do}
    return once(request, lambda: outcome(ask(acting(request), Action.CHANGE_PERSON, what, told)))


@router.get("/people/{slug}/accounts")
@does(Action.SEE_PERSONAL)
def list_accounts(request: HttpRequest, slug: str, cursor: Query[Cursor]) -> dict[str, Any]:
    """What is theirs, and how that is known: proven, or vouched for by whom."""
    return page(Account.objects.filter(person=_person(slug)).select_related("by"), cursor, _account)


def _account(row: Account) -> dict[str, Any]:
    return {
        "number": row.pk,
        "kind": row.kind,
        "value": row.value,
        "proof": row.proof,
        "by": row.by.slug if row.by else None,
        "since": row.since.isoformat(),
    }


@router.post("/people/{slug}/accounts")
@does(Action.CHANGE_PERSON)
def add_account(request: HttpRequest, slug: str, body: AccountIn) -> dict[str, Any]:
    """Vouch that something is theirs."""
    what = {"id": _person(slug).slug, "do": "account", **body.model_dump()}
    told = f"add an account of {slug}"
    return once(request, lambda: outcome(ask(acting(request), Action.CHANGE_PERSON, what, told)))


@router.delete("/people/{slug}/accounts/{number}")
@does(Action.CHANGE_PERSON)
def drop_account(request: HttpRequest, slug: str, number: int) -> dict[str, Any]:
    """It is theirs no longer."""
    if not Account.objects.filter(person=_person(slug), pk=number).exists():
        raise Http404
    what = {"id": slug, "do": "drop", "account": number}
    told = f"drop an account of {slug}"
    return once(request, lambda: outcome(ask(acting(request), Action.CHANGE_PERSON, what, told)))


@router.get("/people/{slug}/export")
@does(Action.EXPORT_PERSONAL)
def export_person(request: HttpRequest, slug: str) -> dict[str, Any]:
    """All that is kept of somebody, to be handed to them."""
    row = _person(slug)
    act(acting(request), Action.EXPORT_PERSONAL, f"person:{slug}", {"step": "exported"})
    return kept_of(row)


@router.post("/people/{slug}/hold")
@does(Action.HOLD_PERSONAL)
def hold_person(request: HttpRequest, slug: str, body: Reason) -> dict[str, Any]:
    """Keep what is kept of them for a legal claim; without a reason, no longer."""
    what = {"id": _person(slug).slug, "reason": body.reason}
    told = f"keep what is kept of {slug} for a claim" if body.reason else f"no longer keep what is kept of {slug}"
    return once(request, lambda: outcome(ask(acting(request), Action.HOLD_PERSONAL, what, told)))


@router.post("/people/{slug}/erase")
@does(Action.ERASE_PERSONAL)
def erase_person(request: HttpRequest, slug: str, body: Reason) -> dict[str, Any]:
    """Ask for everything of somebody who left to be erased; an administrator agrees."""
    what = {"id": _person(slug).slug}
    told = f"erase what is kept of {slug}"
    return once(request, lambda: outcome(ask(acting(request), Action.ERASE_PERSONAL, what, told, body.reason)))


def _person(slug: str) -> Person:
    found = Person.objects.filter(slug=slug).first()
    if found is None:
        raise Http404
    return found
