"""People and their roles, as programs see them."""

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from muniment.access.actions import Action
from muniment.server.acts.schemas import body_of
from muniment.server.api_operations import HandleCursor, does, page_by_handle, run_act
from muniment.server.people.machine_acts import (
    DeclareMachine,
    RemoveMachineAccount,
    machine_accounts,
    proposed_machines,
)
from muniment.server.people.models import Person, RoleGrant
from muniment.server.people.person_acts import AddPerson
from muniment.server.people.role_acts import GrantRole, RevokeRole

router = Router()


# types that are made at run time, from the fields of the acts
AddBody = body_of(AddPerson)
GrantBody = body_of(GrantRole, fixed=("person",))
DeclareMachineBody = body_of(DeclareMachine)
RevokeBody = body_of(RevokeRole, fixed=("person",))


@router.get("/people")
@does(Action.SEE_PEOPLE)
def list_people(request: HttpRequest, cursor: Query[HandleCursor]) -> dict[str, Any]:
    """Who is who."""
    rows = Person.objects.prefetch_related("role_grants__product")
    return page_by_handle(rows, cursor, _person)


def _person(row: Person) -> dict[str, Any]:
    roles = [_role(grant) for grant in row.role_grants.all() if grant.in_force]
    return {"handle": row.slug, "name": row.name, "active": row.active, "roles": roles}


def _role(grant: RoleGrant) -> dict[str, Any]:
    last = grant.last_day.isoformat() if grant.last_day else ""
    return {"role": grant.role, "product": grant.product.slug if grant.product else "", "last": last}


@router.post("/people")
@does(Action.CHANGE_PERSON)
def add_person(request: HttpRequest, body: AddBody) -> dict[str, Any]:  # type: ignore[valid-type]
    """Add a person."""
    return run_act(request, AddPerson, {})


@router.post("/people/{slug}/roles")
@does(Action.GRANT_ROLE)
def grant_role(request: HttpRequest, slug: str, body: GrantBody) -> dict[str, Any]:  # type: ignore[valid-type]
    """Grant a role; one that changes things waits for a second person."""
    return run_act(request, GrantRole, {"person": slug})


@router.post("/people/{slug}/roles/revoke")
@does(Action.GRANT_ROLE)
def revoke_role(request: HttpRequest, slug: str, body: RevokeBody) -> dict[str, Any]:  # type: ignore[valid-type]
    """Revoke a role at once."""
    return run_act(request, RevokeRole, {"person": slug})


@router.get("/machines")
@does(Action.SEE_PERSONAL_DATA)
def list_machines(request: HttpRequest) -> list[dict[str, Any]]:
    """List the accounts of machines."""
    return [
        {
            "account": row.pk,
            "id": row.machine.slug,
            "kind": row.kind,
            "value": row.value,
            "acts_on_request": row.machine.acts_on_request,
        }
        for row in machine_accounts()
        if row.machine is not None
    ]


@router.get("/machines/proposed")
@does(Action.SEE_PERSONAL_DATA)
def list_proposed_machines(request: HttpRequest) -> list[dict[str, Any]]:
    """List the accounts that forges call machines, and that nobody has declared."""
    return [{"value": row.value, "seen_at": row.first_seen_at.isoformat()} for row in proposed_machines()]


@router.post("/machines")
@does(Action.DECLARE_MACHINE)
def declare_machine(request: HttpRequest, body: DeclareMachineBody) -> dict[str, Any]:  # type: ignore[valid-type]
    """Declare an account that of a machine; it waits for a second person."""
    return run_act(request, DeclareMachine, {})


@router.post("/machines/accounts/{number}/remove")
@does(Action.CHANGE_PERSON)
def remove_machine_account(request: HttpRequest, number: int) -> dict[str, Any]:
    """Remove an account from a machine."""
    return run_act(request, RemoveMachineAccount, {"account": number})
