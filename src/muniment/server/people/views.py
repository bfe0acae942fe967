"""Pages about people: the list, one person, one's own account, and the use of an invitation."""

from django.contrib import messages
from django.core.cache import cache
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION, AccessResult, authorize
from muniment.access.roles import Role
from muniment.server.acts.execution import execute_act
from muniment.server.acts.submission import submit_act
from muniment.server.guarding.mediation import current_actor, find_own_resource, is_action_allowed, require_action
from muniment.server.page_lists import page_by_name
from muniment.server.people import bootstrap, verifications
from muniment.server.people.account_acts import ConfirmAccounts, ImportAccounts, UnlinkAccount, VouchForAccount
from muniment.server.people.actors import (
    signed_in_person,
)
from muniment.server.people.authenticator_acts import EnrolAuthenticator, RemoveAuthenticator
from muniment.server.people.machine_acts import (
    DeclareMachine,
    RemoveMachineAccount,
    find_machine_accounts,
    find_proposed_machines,
)
from muniment.server.people.models import Person, RoleGrant, build_in_force_condition
from muniment.server.people.own_account_acts import (
    ConfirmOwnAccount,
    CreateToken,
    ExportOwnData,
    FinishVerification,
    RevokeToken,
    StartVerification,
)
from muniment.server.people.person_acts import (
    AddPerson,
    ChangeHandle,
    ChangePerson,
    DeactivatePerson,
    InvitePerson,
    ReactivatePerson,
)
from muniment.server.people.personal_data_acts import (
    ErasePersonalData,
    ExportPersonalData,
    LiftLegalHold,
    PlaceLegalHold,
)
from muniment.server.people.privacy import shown_rules
from muniment.server.people.role_acts import GrantRole, RevokeRole
from muniment.server.people.test_runner_acts import RevokeTestRunner, TrustTestRunner


@require_GET
@require_action(Action.SEE_PEOPLE)
def list_people(request: HttpRequest) -> HttpResponse:
    """Show all people, with their roles."""
    rows = Person.objects.prefetch_related("role_grants__product")
    find = request.GET.get("find", "").strip()[:100]
    if find:
        rows = rows.filter(Q(name__icontains=find) | Q(slug__icontains=find))
    found = page_by_name(request, rows)
    for person in found.rows:
        person.roles_now = [grant for grant in person.role_grants.all() if grant.in_force]
    context = {"page": found, "find": find, "more": urlencode({"find": find, "order": found.order})}
    machines = {
        "machine_accounts": find_machine_accounts() if is_action_allowed(request, Action.SEE_PERSONAL_DATA) else (),
        "may_declare": _may_show_form(request, Action.DECLARE_MACHINE),
        "proposed_machines": find_proposed_machines() if _may_show_form(request, Action.DECLARE_MACHINE) else (),
    }
    others = {
        "may_add": _may_show_form(request, Action.CHANGE_PERSON),
        "bootstrap": not bootstrap.is_bootstrap_finished(),
    }
    return render(request, "people/list.html", {**context, **machines, **others})


@require_POST
@require_action(Action.CHANGE_PERSON)
def add_person(request: HttpRequest) -> HttpResponse:
    """Add a person to the list."""
    return submit_act(request, AddPerson, {}, _("Added."), "people")


@require_GET
@require_action(Action.SEE_PEOPLE)
def show_person(request: HttpRequest, slug: str) -> HttpResponse:
    """Show one person with roles and accounts."""
    found = get_object_or_404(Person, slug=slug)
    personal = is_action_allowed(request, Action.SEE_PERSONAL_DATA) or found.pk == current_actor(request).person
    return render(
        request,
        "people/person.html",
        {
            "person": found,
            "grants": found.role_grants.select_related("product", "granted_by", "approver").order_by("-pk"),
            "accounts": found.accounts.select_related("vouched_by", "confirmed_by") if personal else (),
            "personal": personal,
            "changes": _may_show_form(request, Action.CHANGE_PERSON),
            "gives": _may_show_form(request, Action.GRANT_ROLE),
            "exports": _may_show_form(request, Action.EXPORT_PERSONAL_DATA),
        },
    )


_CHANGES = (ChangePerson, DeactivatePerson, ReactivatePerson, VouchForAccount, UnlinkAccount)


@require_POST
@require_action(Action.CHANGE_PERSON)
def change_person(request: HttpRequest, slug: str) -> HttpResponse:
    """Change the entry of a person, or link or unlink an account."""
    return submit_act(request, _CHANGES, {"person": slug}, _("Done."), "person", slug)


@require_POST
@require_action(Action.CHANGE_PERSON)
def import_accounts(request: HttpRequest) -> HttpResponse:
    """Vouch for many accounts; one request lets a second person confirm all."""
    return submit_act(request, ImportAccounts, {}, _("Done."), "people")


@require_POST
@require_action(Action.CONFIRM_ACCOUNT)
def confirm_accounts(request: HttpRequest) -> HttpResponse:
    """Request that a second person confirms accounts that were vouched for."""
    return submit_act(request, ConfirmAccounts, {}, _("Done."), "people")


@require_POST
@require_action(Action.CHANGE_PERSON)
def change_handle(request: HttpRequest, slug: str) -> HttpResponse:
    """Change the handle of a person, then go to the page of the new one."""

    def redirect_to_person(handle: str) -> HttpResponse:
        messages.success(request, _("Done."))
        return redirect("person", handle)

    return submit_act(
        request, ChangeHandle, {"person": slug}, _("Done."), "person", slug, build_response=redirect_to_person
    )


@require_POST
@require_action(Action.TRUST_TEST_RUNNER)
def trust_test_runner(request: HttpRequest) -> HttpResponse:
    """Request that another test runner is trusted."""
    return submit_act(request, TrustTestRunner, {}, _("Done."), "builders")


@require_POST
@require_action(Action.DECLARE_MACHINE)
def declare_machine(request: HttpRequest) -> HttpResponse:
    """Request that an address or login is declared the account of a machine."""
    return submit_act(request, DeclareMachine, {}, _("Done."), "people")


@require_POST
@require_action(Action.CHANGE_PERSON)
def remove_machine_account(request: HttpRequest, number: int) -> HttpResponse:
    """Remove an address or login from a machine."""
    return submit_act(request, RemoveMachineAccount, {"account": number}, _("Done."), "people")


@require_POST
@require_action(Action.REVOKE_TEST_RUNNER)
def revoke_test_runner(request: HttpRequest, slug: str) -> HttpResponse:
    """Stop trusting a test runner."""
    return submit_act(request, RevokeTestRunner, {"runner": slug}, _("Done."), "builders")


@require_POST
@require_action(Action.GRANT_ROLE)
def change_role(request: HttpRequest, slug: str) -> HttpResponse:
    """Grant a role, or revoke one. A role that changes things waits for a second person."""
    return submit_act(request, (GrantRole, RevokeRole), {"person": slug}, _("Done."), "person", slug)


@require_POST
@require_action(Action.CHANGE_PERSON)
def invite_person(request: HttpRequest, slug: str) -> HttpResponse:
    """Create a link that lets a person in once; it is shown once, to be passed on."""

    def show_link(path: str) -> HttpResponse:
        invited = Person.objects.get(slug=slug)
        return render(request, "people/invited.html", {"person": invited, "link": request.build_absolute_uri(path)})

    return submit_act(request, InvitePerson, {"person": slug}, "", "person", slug, build_response=show_link)


@require_GET
@require_action(Action.EXPORT_PERSONAL_DATA)
def export_personal_data(request: HttpRequest, slug: str) -> HttpResponse:
    """Export the stored data of a person, to be given to them."""
    found = get_object_or_404(Person, slug=slug)
    return _make_json_download(found, execute_act(current_actor(request), ExportPersonalData(person=found.pk)).result)


@require_GET
@require_action(Action.MANAGE_OWN_ACCOUNT, find_own_resource)
def export_own_data(request: HttpRequest) -> HttpResponse:
    """Export one's own stored data. Once a minute, since it reads the whole record."""
    who = signed_in_person(request)
    if not cache.add(f"export:{who.pk}", 1, timeout=60):
        return render(request, "429.html", status=429)
    return _make_json_download(who, execute_act(current_actor(request), ExportOwnData(person=who.pk)).result)


def _make_json_download(person: Person, stored: object) -> HttpResponse:
    answer = JsonResponse(stored, json_dumps_params={"indent": 1})
    answer["Content-Disposition"] = f'attachment; filename="{person.slug}.json"'
    return answer


@require_POST
@require_action(Action.ERASE_PERSONAL_DATA)
def request_erasure(request: HttpRequest, slug: str) -> HttpResponse:
    """Request that the personal data of a person who left is erased; an administrator approves it."""
    return submit_act(request, ErasePersonalData, {"person": slug}, _("Done."), "person", slug)


@require_POST
@require_action(Action.PLACE_LEGAL_HOLD)
def change_legal_hold(request: HttpRequest, slug: str) -> HttpResponse:
    """Place or lift a legal hold on the personal data of a person."""
    return submit_act(request, (PlaceLegalHold, LiftLegalHold), {"person": slug}, _("Done."), "person", slug)


@require_GET
@require_action(Action.MANAGE_OWN_ACCOUNT, find_own_resource)
def show_privacy(request: HttpRequest) -> HttpResponse:
    """Show the kinds of stored personal data, why and how long, and whom to ask: for everybody with an account."""
    officers = RoleGrant.objects.filter(build_in_force_condition(), role=Role.DPO, person__active=True).select_related(
        "person"
    )
    return render(request, "people/privacy.html", {"rules": shown_rules(), "officers": officers})


@require_GET
@require_action(Action.MANAGE_OWN_ACCOUNT, find_own_resource)
def redirect_addresses(request: HttpRequest) -> HttpResponse:
    """Redirect from allauth's page of addresses, which has its own list: addresses are proven in one place only."""
    return redirect("me")


@require_POST
@require_action(Action.LINK_ACCOUNT, find_own_resource)
def start_verification(request: HttpRequest) -> HttpResponse:
    """Declare that an address, key or login is one's own, to verify it next."""
    return submit_act(
        request, StartVerification, {"person": signed_in_person(request).slug}, _("Now verify it: see below."), "me"
    )


@require_POST
@require_action(Action.LINK_ACCOUNT, find_own_resource)
def finish_verification(request: HttpRequest) -> HttpResponse:
    """Verify the account, by a signature or a mailed code. Each attempt counts."""
    person = signed_in_person(request)
    verifications.count_attempt(person)
    return submit_act(request, FinishVerification, {"person": person.slug}, _("The account is verified."), "me")


@require_POST
@require_action(Action.LINK_ACCOUNT, find_own_resource)
def confirm_account(request: HttpRequest, number: int) -> HttpResponse:
    """Confirm that an account is one's own, for which an administrator vouched."""
    fixed: dict[str, object] = {"person": signed_in_person(request).slug, "account": number}
    return submit_act(request, ConfirmOwnAccount, fixed, _("The account counts as yours."), "me")


@require_POST
@require_action(Action.ENROL_AUTHENTICATOR, find_own_resource)
def enrol_authenticator(request: HttpRequest) -> HttpResponse:
    """Request that a passkey or SSH key of one's own counts for dangerous acts."""
    fixed: dict[str, object] = {"person": signed_in_person(request).slug}
    return submit_act(request, EnrolAuthenticator, fixed, _("It is enrolled."), "me")


@require_POST
@require_action(Action.MANAGE_OWN_ACCOUNT, find_own_resource)
def remove_authenticator(request: HttpRequest, number: int) -> HttpResponse:
    """Remove an authenticator of one's own."""
    fixed: dict[str, object] = {"person": signed_in_person(request).slug, "authenticator": number}
    return submit_act(request, RemoveAuthenticator, fixed, _("It is removed: it signs nothing more."), "me")


@require_POST
@require_action(Action.MANAGE_OWN_ACCOUNT, find_own_resource)
def create_token(request: HttpRequest) -> HttpResponse:
    """Create a token for a program, shown once. It can do no more than its person, and only what it is for."""

    def show_token(token: str) -> HttpResponse:
        return render(request, "people/token.html", {"token": token, "name": request.POST.get("name", "")})

    return submit_act(
        request, CreateToken, {"person": signed_in_person(request).slug}, "", "me", build_response=show_token
    )


@require_POST
@require_action(Action.MANAGE_OWN_ACCOUNT, find_own_resource)
def revoke_token(request: HttpRequest, number: int) -> HttpResponse:
    """Revoke a token of one's own."""
    fixed: dict[str, object] = {"person": signed_in_person(request).slug, "token": number}
    return submit_act(request, RevokeToken, fixed, _("The token is revoked."), "me")


def _may_show_form(request: HttpRequest, action: Action) -> bool:
    """Whether to show a form: a missing second factor is requested when it is sent."""
    why = authorize(current_actor(request), action, ORGANISATION)
    return why in (AccessResult.YES, AccessResult.NO_SECOND_FACTOR)
