"""One person, with their addresses, keys and logins, as programs see them."""

from typing import Any

from django.http import Http404, HttpRequest
from ninja import Query, Router

from muniment.access.actions import Action
from muniment.server.acts.execution import execute_act
from muniment.server.acts.schemas import build_body_schema
from muniment.server.api_operations import Cursor, for_action, page_by_number, run_act
from muniment.server.guarding.mediation import current_actor, is_action_allowed
from muniment.server.people.account_acts import ConfirmAccounts, ImportAccounts, UnlinkAccount, VouchForAccount
from muniment.server.people.models import Account, Person
from muniment.server.people.person_acts import ChangeHandle, ChangePerson, DeactivatePerson, ReactivatePerson
from muniment.server.people.personal_data_acts import (
    ErasePersonalData,
    ExportPersonalData,
    LiftLegalHold,
    PlaceLegalHold,
)

router = Router()


# types that are made at run time, from the fields of the acts
PersonPatch = build_body_schema(ChangePerson, fixed=("person",), optional=True)
HandleBody = build_body_schema(ChangeHandle, fixed=("person",))
AccountBody = build_body_schema(VouchForAccount, fixed=("person",))
ImportBody = build_body_schema(ImportAccounts)
ConfirmBody = build_body_schema(ConfirmAccounts)
HoldBody = build_body_schema(PlaceLegalHold, fixed=("person",))
EraseBody = build_body_schema(ErasePersonalData, fixed=("person",))


@router.get("/people/{slug}")
@for_action(Action.SEE_PEOPLE)
def get_person(request: HttpRequest, slug: str) -> dict[str, object]:
    """Show a person, with every current and past role."""
    row = _find_person(slug)
    grants = row.role_grants.select_related("product", "granted_by", "approver").order_by("-pk")
    found = {
        "handle": row.slug,
        "name": row.name,
        "active": row.active,
        "roles": [_serialize_past_grant(one) for one in grants],
    }
    if is_action_allowed(request, Action.SEE_PERSONAL_DATA) or row.pk == current_actor(request).person:
        found["email"] = row.email
    return found


def _serialize_past_grant(row: Any) -> dict[str, object]:
    return {
        "role": row.role,
        "product": row.product.slug if row.product else "",
        "granted_at": row.granted_at.isoformat(),
        "ended_at": row.ended_at.isoformat() if row.ended_at else None,
        "granted_by": row.granted_by.slug if row.granted_by else None,
        "approver": row.approver.slug if row.approver else None,
        "group": row.company_group,
        "bootstrap": row.bootstrap,
    }


@router.patch("/people/{slug}")
@for_action(Action.CHANGE_PERSON)
def change_person(request: HttpRequest, slug: str, body: PersonPatch) -> dict[str, object]:  # type: ignore[valid-type]
    """Change name or address. Fields that are left out stay."""
    row = _find_person(slug)
    return run_act(request, ChangePerson, {"person": slug}, {"name": row.name, "email": row.email or ""})


@router.put("/people/{slug}/handle")
@for_action(Action.CHANGE_PERSON)
def change_handle(request: HttpRequest, slug: str, body: HandleBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Change the handle of a person; what refers to the person stays theirs."""
    return run_act(request, ChangeHandle, {"person": slug})


@router.post("/people/{slug}/deactivate")
@for_action(Action.CHANGE_PERSON)
def deactivate_person(request: HttpRequest, slug: str) -> dict[str, object]:
    """Deactivate a person who leaves: their roles, sessions and tokens end at once."""
    return run_act(request, DeactivatePerson, {"person": slug})


@router.post("/people/{slug}/reactivate")
@for_action(Action.CHANGE_PERSON)
def reactivate_person(request: HttpRequest, slug: str) -> dict[str, object]:
    """Reactivate a person who comes back, without roles."""
    return run_act(request, ReactivatePerson, {"person": slug})


@router.get("/people/{slug}/accounts")
@for_action(Action.SEE_PERSONAL_DATA)
def list_accounts(request: HttpRequest, slug: str, cursor: Query[Cursor]) -> dict[str, object]:
    """List the accounts of a person, with their verification: proven, or the person who vouched."""
    rows = Account.objects.filter(person=_find_person(slug)).select_related("vouched_by", "confirmed_by")
    return page_by_number(rows, cursor, _serialize_account)


def _serialize_account(row: Account) -> dict[str, object]:
    return {
        "number": row.pk,
        "kind": row.kind,
        "value": row.value,
        "proof": row.verification,
        "vouched_by": row.vouched_by.slug if row.vouched_by else None,
        "counts": row.counts,
        "confirmed_by": row.confirmed_by.slug if row.confirmed_by else None,
        "since": row.linked_at.isoformat(),
    }


@router.post("/people/{slug}/accounts")
@for_action(Action.CHANGE_PERSON)
def vouch_for_account(request: HttpRequest, slug: str, body: AccountBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Vouch that an account is a person's; it counts once a second person confirmed it."""
    return run_act(request, VouchForAccount, {"person": slug})


@router.post("/accounts/import")
@for_action(Action.CHANGE_PERSON)
def import_accounts(request: HttpRequest, body: ImportBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Vouch for many accounts; one request lets a second person confirm all of them."""
    return run_act(request, ImportAccounts, {})


@router.post("/accounts/confirm")
@for_action(Action.CONFIRM_ACCOUNT)
def confirm_accounts(request: HttpRequest, body: ConfirmBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Request that a second person confirms accounts that were vouched for, by their numbers."""
    return run_act(request, ConfirmAccounts, {})


@router.delete("/people/{slug}/accounts/{number}")
@for_action(Action.CHANGE_PERSON)
def unlink_account(request: HttpRequest, slug: str, number: int) -> dict[str, object]:
    """Unlink an account from a person."""
    if not Account.objects.filter(person=_find_person(slug), pk=number).exists():
        raise Http404
    return run_act(request, UnlinkAccount, {"person": slug, "account": number})


@router.get("/people/{slug}/export")
@for_action(Action.EXPORT_PERSONAL_DATA)
def export_person(request: HttpRequest, slug: str) -> Any:
    """Export everything that is stored about a person, so that they can be given it."""
    return execute_act(current_actor(request), ExportPersonalData(person=_find_person(slug).pk)).result


@router.put("/people/{slug}/hold")
@for_action(Action.PLACE_LEGAL_HOLD)
def place_hold(request: HttpRequest, slug: str, body: HoldBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Place a legal hold on the personal data of a person."""
    return run_act(request, PlaceLegalHold, {"person": slug})


@router.delete("/people/{slug}/hold")
@for_action(Action.PLACE_LEGAL_HOLD)
def lift_hold(request: HttpRequest, slug: str) -> dict[str, object]:
    """Lift the legal hold on the personal data of a person."""
    return run_act(request, LiftLegalHold, {"person": slug})


@router.post("/people/{slug}/erase")
@for_action(Action.ERASE_PERSONAL_DATA)
def erase_person(request: HttpRequest, slug: str, body: EraseBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Request that the personal data of a person who left is erased; an administrator approves it."""
    return run_act(request, ErasePersonalData, {"person": slug})


def _find_person(slug: str) -> Person:
    found = Person.objects.filter(slug=slug).first()
    if found is None:
        raise Http404
    return found
