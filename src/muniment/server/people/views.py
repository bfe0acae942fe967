"""Pages about people: the list, one person, one's own account, and the entry by an invitation."""

from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.views import deactivate_totp
from allauth.mfa.webauthn.internal.auth import begin_authentication
from allauth.mfa.webauthn.views import remove_webauthn
from django.contrib import messages
from django.contrib.auth import login
from django.core.cache import cache
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from muniment.access.actions import Action
from muniment.access.authorize import ORGANISATION, Actor, Why, authorize
from muniment.access.roles import Role
from muniment.errors import RefusedError
from muniment.server.acts.act import Act
from muniment.server.acts.execution import execute_act
from muniment.server.acts.forms import ActForm
from muniment.server.acts.submission import submit_act
from muniment.server.error_text import error_text
from muniment.server.guarding.mediation import acting, may, own, requires
from muniment.server.page_lists import page, page_by_name
from muniment.server.people import bootstrap, recovery, verifications
from muniment.server.people.account_acts import ConfirmAccounts, ImportAccounts, UnlinkAccount, VouchForAccount
from muniment.server.people.actors import has_just_proven, has_passkey, has_second_factor, me
from muniment.server.people.authenticator_acts import EnrolAuthenticator, RemoveAuthenticator
from muniment.server.people.machine_acts import (
    DeclareMachine,
    RemoveMachineAccount,
    machine_accounts,
    proposed_machines,
)
from muniment.server.people.models import Invitation, Message, Person, RoleGrant, in_force
from muniment.server.people.own_account_acts import (
    AcceptInvitation,
    ChangeMailFrequency,
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

_BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
_LONGEST_ANSWER = 20_000  # characters of a passkey's answer


@require_GET
@requires(Action.SEE_PEOPLE)
def people(request: HttpRequest) -> HttpResponse:
    """Everybody, with their roles."""
    rows = Person.objects.prefetch_related("role_grants__product")
    find = request.GET.get("find", "").strip()[:100]
    if find:
        rows = rows.filter(Q(name__icontains=find) | Q(slug__icontains=find))
    found = page_by_name(request, rows)
    for person in found.rows:
        person.roles_now = [grant for grant in person.role_grants.all() if grant.in_force]
    context = {"page": found, "find": find, "more": urlencode({"find": find}) if find else ""}
    machines = {
        "machine_accounts": machine_accounts() if may(request, Action.SEE_PERSONAL_DATA) else (),
        "may_declare": _changes(request, Action.DECLARE_MACHINE),
        "proposed_machines": proposed_machines() if _changes(request, Action.DECLARE_MACHINE) else (),
    }
    others = {"may_add": _changes(request, Action.CHANGE_PERSON), "bootstrap": not bootstrap.is_finished()}
    return render(request, "people/list.html", {**context, **machines, **others})


@require_POST
@requires(Action.CHANGE_PERSON)
def add(request: HttpRequest) -> HttpResponse:
    """Add a person."""
    return submit_act(request, AddPerson, {}, _("Added."), "people")


@require_GET
@requires(Action.SEE_PEOPLE)
def person(request: HttpRequest, slug: str) -> HttpResponse:
    """One person."""
    found = get_object_or_404(Person, slug=slug)
    personal = may(request, Action.SEE_PERSONAL_DATA) or found.pk == acting(request).person
    return render(
        request,
        "people/person.html",
        {
            "person": found,
            "grants": found.role_grants.select_related("product", "granted_by", "approver").order_by("-pk"),
            "accounts": found.accounts.select_related("vouched_by", "confirmed_by") if personal else (),
            "personal": personal,
            "changes": _changes(request, Action.CHANGE_PERSON),
            "gives": _changes(request, Action.GRANT_ROLE),
            "exports": _changes(request, Action.EXPORT_PERSONAL_DATA),
        },
    )


_CHANGES = (ChangePerson, DeactivatePerson, ReactivatePerson, VouchForAccount, UnlinkAccount)


@require_POST
@requires(Action.CHANGE_PERSON)
def change(request: HttpRequest, slug: str) -> HttpResponse:
    """Change the entry of a person, or link or unlink an account."""
    return submit_act(request, _CHANGES, {"person": slug}, _("Done."), "person", slug)


@require_POST
@requires(Action.CHANGE_PERSON)
def import_accounts(request: HttpRequest) -> HttpResponse:
    """Vouch for many accounts; one request asks a second person for all."""
    return submit_act(request, ImportAccounts, {}, _("Done."), "people")


@require_POST
@requires(Action.CONFIRM_ACCOUNT)
def confirm_accounts(request: HttpRequest) -> HttpResponse:
    """Request that a second person confirms accounts that were vouched for."""
    return submit_act(request, ConfirmAccounts, {}, _("Done."), "people")


@require_POST
@requires(Action.CHANGE_PERSON)
def change_handle(request: HttpRequest, slug: str) -> HttpResponse:
    """Change the handle of a person, then go to the page of the new one."""

    def go_on(handle: str) -> HttpResponse:
        messages.success(request, _("Done."))
        return redirect("person", handle)

    return submit_act(request, ChangeHandle, {"person": slug}, _("Done."), "person", slug, answer=go_on)


@require_POST
@requires(Action.TRUST_TEST_RUNNER)
def trust_test_runner(request: HttpRequest) -> HttpResponse:
    """Request that another test runner is trusted."""
    return submit_act(request, TrustTestRunner, {}, _("Done."), "builders")


@require_POST
@requires(Action.DECLARE_MACHINE)
def declare_machine(request: HttpRequest) -> HttpResponse:
    """Request that an address or login is declared the account of a machine."""
    return submit_act(request, DeclareMachine, {}, _("Done."), "people")


@require_POST
@requires(Action.CHANGE_PERSON)
def remove_machine_account(request: HttpRequest, number: int) -> HttpResponse:
    """Remove an address or login from a machine."""
    return submit_act(request, RemoveMachineAccount, {"account": number}, _("Done."), "people")


@require_POST
@requires(Action.REVOKE_TEST_RUNNER)
def revoke_test_runner(request: HttpRequest, slug: str) -> HttpResponse:
    """Stop trusting a test runner."""
    return submit_act(request, RevokeTestRunner, {"runner": slug}, _("Done."), "builders")


@require_POST
@requires(Action.GRANT_ROLE)
def grant(request: HttpRequest, slug: str) -> HttpResponse:
    """Grant a role, or revoke one. A role that changes things waits for a second person."""
    return submit_act(request, (GrantRole, RevokeRole), {"person": slug}, _("Done."), "person", slug)


@require_POST
@requires(Action.CHANGE_PERSON)
def invitation(request: HttpRequest, slug: str) -> HttpResponse:
    """Create a link that lets a person in once; shown once, to be handed over."""

    def show(path: str) -> HttpResponse:
        invited = Person.objects.get(slug=slug)
        return render(request, "people/invited.html", {"person": invited, "link": request.build_absolute_uri(path)})

    return submit_act(request, InvitePerson, {"person": slug}, "", "person", slug, answer=show)


@require_GET
@requires(Action.EXPORT_PERSONAL_DATA)
def export(request: HttpRequest, slug: str) -> HttpResponse:
    """Export all that is stored about a person, to be handed to them."""
    found = get_object_or_404(Person, slug=slug)
    return _file(found, execute_act(acting(request), ExportPersonalData(person=found.pk)).result)


@require_GET
@requires(Action.MANAGE_OWN_ACCOUNT, own)
def my_export(request: HttpRequest) -> HttpResponse:
    """Export all that is stored about oneself. Once a minute, for it reads the whole record."""
    who = me(request)
    if not cache.add(f"export:{who.pk}", 1, timeout=60):
        return render(request, "429.html", status=429)
    return _file(who, execute_act(acting(request), ExportOwnData(person=who.pk)).result)


def _file(person: Person, stored: object) -> HttpResponse:
    answer = JsonResponse(stored, json_dumps_params={"indent": 1})
    answer["Content-Disposition"] = f'attachment; filename="{person.slug}.json"'
    return answer


@require_POST
@requires(Action.ERASE_PERSONAL_DATA)
def erase(request: HttpRequest, slug: str) -> HttpResponse:
    """Request that the personal data of somebody who left is erased; an administrator approves it."""
    return submit_act(request, ErasePersonalData, {"person": slug}, _("Done."), "person", slug)


@require_POST
@requires(Action.PLACE_LEGAL_HOLD)
def hold(request: HttpRequest, slug: str) -> HttpResponse:
    """Place or lift a legal hold on the personal data of a person."""
    return submit_act(request, (PlaceLegalHold, LiftLegalHold), {"person": slug}, _("Done."), "person", slug)


@require_GET
@requires(Action.MANAGE_OWN_ACCOUNT, own)
def privacy(request: HttpRequest) -> HttpResponse:
    """What is kept of people, why, how long, and whom to ask: for everybody who has an account."""
    officers = RoleGrant.objects.filter(in_force(), role=Role.DPO, person__active=True).select_related("person")
    return render(request, "people/privacy.html", {"rules": shown_rules(), "officers": officers})


@sensitive_post_parameters("password", "code", "credential")
@require_http_methods(["GET", "POST"])
def welcome(request: HttpRequest, text: str) -> HttpResponse:
    """Let the person in whom an invitation is for, once: who they are, and a password or a passkey."""
    found = Invitation.valid(text).first()
    if found is None:
        return render(request, "people/expired.html", status=410)
    person: Person = found.person
    actor = Actor(person=person.pk, active=True, grants=person.roles())
    fixed = {"person": person.slug, "invitation": found.pk}
    initial = {"name": person.name, "email": person.email or ""}
    sent = request.POST.copy() if request.method == "POST" else None
    entry = _read_entry(sent) if sent is not None else recovery.Entry(None)
    form = ActForm(AcceptInvitation, actor, sent, fixed=fixed, initial=initial)
    problem = ""
    if form.is_valid() and form.act is not None:
        if entry.code:
            recovery.count_code(found)
        problem = _enter(request, actor, form.act, entry)
        if not problem:
            return redirect("mfa_index" if entry.password is not None or has_passkey(person) else "mfa_add_webauthn")
    context = {"form": form, "tag": AcceptInvitation.tag(), "problem": problem, "person": person}
    context |= {"invitation": found, "has_second_factor": has_second_factor(person)}
    if found.recovers and not found.by_operator and has_passkey(person):
        context["passkey_request"] = {"request_options": begin_authentication(person)}
    return render(request, "people/welcome.html", context)


def _read_entry(sent: QueryDict) -> recovery.Entry:
    """What was sent beside the act's own fields, which is taken out. A passkey of before takes no password."""
    by_password = sent.pop("way", [""])[-1] == "password"
    password, passkey = str(sent.pop("password", [""])[-1]), str(sent.pop("credential", [""])[-1])[:_LONGEST_ANSWER]
    code = str(sent.pop("code", [""])[-1]).strip()[:20]
    return recovery.Entry(password if by_password or (passkey and password) else None, code, passkey)


def _enter(request: HttpRequest, actor: Actor, accepted: Act, entry: recovery.Entry) -> str:
    """Let the person in, or say what is wrong. The link is used up by the first who comes this far."""
    try:
        with transaction.atomic():
            execute_act(actor, accepted, secret=entry)
            person = Person.objects.get(pk=actor.person)
            login(request, person, backend=_BACKEND)
            record_authentication(request, person, method="invitation", reauthenticated=True)
    except RefusedError as error:
        return error_text(error)
    return ""


@require_GET
def forgotten(request: HttpRequest) -> HttpResponse:
    """Nobody gets in by mail: whoever reads somebody's mail is not that person yet."""
    return render(request, "people/forgotten.html")


@require_http_methods(["GET", "POST"])
@requires(Action.MANAGE_OWN_ACCOUNT, own)
def inbox(request: HttpRequest) -> HttpResponse:
    """Show one's messages, and how often they are mailed. What is shown counts as read."""
    person = me(request)
    if request.method == "POST":
        return submit_act(request, ChangeMailFrequency, {"person": person.slug}, _("Saved."), "inbox")
    found = page(request, Message.objects.filter(person=person))
    answer = render(request, "people/inbox.html", {"page": found, "frequency": person.mail_frequency})
    Message.objects.filter(pk__in=[row.pk for row in found.rows], read_at=None).update(read_at=timezone.now())
    return answer


def remove_totp(request: HttpRequest) -> HttpResponseBase:
    """Remove the app for codes, after a code of it."""
    rows = Authenticator.objects.filter(user=request.user.pk, type=Authenticator.Type.TOTP)
    return _refuse_unproven(request, rows.first()) or deactivate_totp(request)


def remove_passkey(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Remove a passkey, after it was used."""
    rows = Authenticator.objects.filter(user=request.user.pk, type=Authenticator.Type.WEBAUTHN, pk=pk)
    return _refuse_unproven(request, rows.first()) or remove_webauthn(request, pk=pk)


def _refuse_unproven(request: HttpRequest, factor: Authenticator | None) -> HttpResponse | None:
    """The page where a second factor is proven that somebody is about to remove; None if they have just proven it."""
    if factor is None or has_just_proven(request, factor):
        return None
    messages.error(
        request, _("Removing a second factor takes that one: use it first. If you lost it, ask for a recovery link.")
    )
    by_code = factor.type == Authenticator.Type.TOTP
    there = reverse("mfa_reauthenticate" if by_code else "mfa_reauthenticate_webauthn")
    return redirect(f"{there}?{urlencode({'next': request.path})}")


@require_GET
@requires(Action.MANAGE_OWN_ACCOUNT, own)
def addresses(request: HttpRequest) -> HttpResponse:
    """In place of allauth's page of addresses, which keeps its own: there is one place where they are proven."""
    return redirect("me")


@require_POST
@requires(Action.LINK_ACCOUNT, own)
def start_verification(request: HttpRequest) -> HttpResponse:
    """Say that an address, key or login is one's own, to verify it next."""
    return submit_act(request, StartVerification, {"person": me(request).slug}, _("Now verify it: see below."), "me")


@require_POST
@requires(Action.LINK_ACCOUNT, own)
def finish_verification(request: HttpRequest) -> HttpResponse:
    """Verify the account, by a signature or a mailed code. Each attempt counts, whatever comes of it."""
    person = me(request)
    verifications.count_attempt(person)
    return submit_act(request, FinishVerification, {"person": person.slug}, _("The account is verified."), "me")


@require_POST
@requires(Action.LINK_ACCOUNT, own)
def confirm_account(request: HttpRequest, number: int) -> HttpResponse:
    """Confirm that an account is one's own, for which an administrator vouched."""
    fixed: dict[str, object] = {"person": me(request).slug, "account": number}
    return submit_act(request, ConfirmOwnAccount, fixed, _("The account counts as yours."), "me")


@require_POST
@requires(Action.ENROL_AUTHENTICATOR, own)
def enrol_authenticator(request: HttpRequest) -> HttpResponse:
    """Request that a passkey or SSH key of one's own counts for dangerous acts."""
    fixed: dict[str, object] = {"person": me(request).slug}
    return submit_act(request, EnrolAuthenticator, fixed, _("It is enrolled."), "me")


@require_POST
@requires(Action.MANAGE_OWN_ACCOUNT, own)
def remove_authenticator(request: HttpRequest, number: int) -> HttpResponse:
    """Remove an authenticator of one's own."""
    fixed: dict[str, object] = {"person": me(request).slug, "authenticator": number}
    return submit_act(request, RemoveAuthenticator, fixed, _("It is removed: it signs nothing more."), "me")


@require_POST
@requires(Action.MANAGE_OWN_ACCOUNT, own)
def create_token(request: HttpRequest) -> HttpResponse:
    """Create a token for a program, shown once. It can do no more than its person, and only what it is for."""

    def show(token: str) -> HttpResponse:
        return render(request, "people/token.html", {"token": token, "name": request.POST.get("name", "")})

    return submit_act(request, CreateToken, {"person": me(request).slug}, "", "me", answer=show)


@require_POST
@requires(Action.MANAGE_OWN_ACCOUNT, own)
def revoke_token(request: HttpRequest, number: int) -> HttpResponse:
    """Revoke a token of one's own."""
    fixed: dict[str, object] = {"person": me(request).slug, "token": number}
    return submit_act(request, RevokeToken, fixed, _("The token is revoked."), "me")


def _changes(request: HttpRequest, action: Action) -> bool:
    """Whether to show a form: a missing second factor is asked for when it is sent."""
    why = authorize(acting(request), action, ORGANISATION)
    return why in (Why.YES, Why.NO_SECOND_FACTOR)
