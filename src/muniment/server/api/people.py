"""People and their roles, as programs see them."""

from django.http import HttpRequest
from ninja import Query, Router

from muniment.access.actions import Action
from muniment.server.acts.schemas import build_body_schema
from muniment.server.api_operations import HandleCursor, for_action, page_by_handle, run_act
from muniment.server.people.machine_acts import (
    DeclareMachine,
    RemoveMachineAccount,
    find_machine_accounts,
    find_proposed_machines,
)
from muniment.server.people.models import Person, RoleGrant
from muniment.server.people.person_acts import AddPerson
from muniment.server.people.role_acts import GrantRole, RevokeRole
from muniment.server.people.role_import_acts import GrantRoles

router = Router()


# types that are made at run time, from the fields of the acts
AddBody = build_body_schema(AddPerson)
GrantBody = build_body_schema(GrantRole, fixed=("person",))
GrantsBody = build_body_schema(GrantRoles)
DeclareMachineBody = build_body_schema(DeclareMachine)
RevokeBody = build_body_schema(RevokeRole, fixed=("person",))


@router.get("/people")
@for_action(Action.SEE_PEOPLE)
def list_people(request: HttpRequest, cursor: Query[HandleCursor]) -> dict[str, object]:
    """List all people, with their roles."""
    rows = Person.objects.prefetch_related("role_grants__product")
    return page_by_handle(rows, cursor, _serialize_person)


def _serialize_person(row: Person) -> dict[str, object]:
    roles = [_serialize_role(grant) for grant in row.role_grants.all() if grant.in_force]
    return {"handle": row.slug, "name": row.name, "active": row.active, "roles": roles}


def _serialize_role(grant: RoleGrant) -> dict[str, object]:
    last = grant.last_day.isoformat() if grant.last_day else ""
    return {"role": grant.role, "product": grant.product.slug if grant.product else "", "last": last}


@router.post("/people")
@for_action(Action.CHANGE_PERSON)
def add_person(request: HttpRequest, body: AddBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Add a person, without roles."""
    return run_act(request, AddPerson, {})


@router.post("/people/{slug}/roles")
@for_action(Action.GRANT_ROLE)
def grant_role(request: HttpRequest, slug: str, body: GrantBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Grant a role; a role that can change things waits for a second person."""
    return run_act(request, GrantRole, {"person": slug})


@router.post("/role-grants")
@for_action(Action.GRANT_ROLE)
def grant_roles(request: HttpRequest, body: GrantsBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Grant many roles by one request; if one of them can change things, all wait for a second person."""
    return run_act(request, GrantRoles, {})


@router.post("/people/{slug}/roles/revoke")
@for_action(Action.GRANT_ROLE)
def revoke_role(request: HttpRequest, slug: str, body: RevokeBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Revoke a role of a person at once."""
    return run_act(request, RevokeRole, {"person": slug})


@router.get("/machines")
@for_action(Action.SEE_PERSONAL_DATA)
def list_machines(request: HttpRequest) -> list[dict[str, object]]:
    """List the accounts of machines."""
    return [
        {
            "account": row.pk,
            "id": row.machine.slug,
            "kind": row.kind,
            "value": row.value,
            "acts_on_request": row.machine.acts_on_request,
        }
        for row in find_machine_accounts()
        if row.machine is not None
    ]


@router.get("/machines/proposed")
@for_action(Action.SEE_PERSONAL_DATA)
def list_undeclared_machines(request: HttpRequest) -> list[dict[str, object]]:
    """List the accounts that forges call machines, and that nobody has declared."""
    return [{"value": row.value, "seen_at": row.first_seen_at.isoformat()} for row in find_proposed_machines()]


@router.post("/machines")
@for_action(Action.DECLARE_MACHINE)
def declare_machine(request: HttpRequest, body: DeclareMachineBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Declare an account that of a machine; it waits for a second person."""
    return run_act(request, DeclareMachine, {})


@router.post("/machines/accounts/{number}/remove")
@for_action(Action.CHANGE_PERSON)
def remove_machine_account(request: HttpRequest, number: int) -> dict[str, object]:
    """Remove an account from a machine."""
    return run_act(request, RemoveMachineAccount, {"account": number})
