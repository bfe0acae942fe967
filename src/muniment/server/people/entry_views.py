"""Pages by which people get in: the invitation, a forgotten password, and the removal of a second factor."""

from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.views import deactivate_totp
from allauth.mfa.webauthn.internal.auth import begin_authentication
from allauth.mfa.webauthn.views import remove_webauthn
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from muniment.access.authorization import Actor
from muniment.errors import RefusedError
from muniment.server.acts.act import Act
from muniment.server.acts.execution import execute_act
from muniment.server.acts.forms import ActForm
from muniment.server.error_text import format_error_text
from muniment.server.people import recovery
from muniment.server.people.actors import (
    SECOND_FACTOR,
    has_passkey,
    has_recently_proven,
    has_second_factor,
)
from muniment.server.people.models import Invitation, Person
from muniment.server.people.own_account_acts import (
    AcceptInvitation,
)

_BACKEND = "muniment.server.people.sign_in_backend.SignInBackend"


_LONGEST_ANSWER = 20_000  # characters of a passkey's answer


@sensitive_post_parameters("password", "code", "credential")
@require_http_methods(["GET", "POST"])
def accept_invitation(request: HttpRequest, text: str) -> HttpResponse:
    """Let the person of an invitation in, once: they set their name, and a password or a passkey."""
    found = Invitation.find_valid(text).first()
    if found is None:
        return render(request, "people/expired.html", status=410)
    person: Person = found.person
    actor = Actor(person=person.pk, active=True, grants=person.load_roles())
    fixed = {"person": person.slug, "invitation": found.pk}
    initial = {"name": person.name, "email": person.email or ""}
    sent = request.POST.copy() if request.method == "POST" else None
    entry = _read_entry(sent) if sent is not None else recovery.EntryCredentials(None)
    form = ActForm(AcceptInvitation, actor, sent, fixed=fixed, initial=initial)
    problem = ""
    if form.is_valid() and form.act is not None:
        if entry.code:
            recovery.count_code(found)
        problem = _let_person_in(request, actor, form.act, entry)
        if not problem:
            if settings.DEMONSTRATION and entry.password is not None:
                return redirect("home")  # who looks at an invented company needs no second factor for that
            return redirect("mfa_index" if entry.password is not None or has_passkey(person) else "mfa_add_webauthn")
    context = {"form": form, "tag": AcceptInvitation.act_tag(), "problem": problem, "person": person}
    context |= {"invitation": found, "has_second_factor": has_second_factor(person)}
    if found.recovers and not found.by_operator and has_passkey(person):
        context["passkey_request"] = {"request_options": begin_authentication(person)}
    return render(request, "people/welcome.html", context)


def _read_entry(sent: QueryDict) -> recovery.EntryCredentials:
    """Credentials that were sent with the act's own fields, removed from them. An earlier passkey needs no
    password.
    """
    by_password = sent.pop("way", [""])[-1] == "password"
    password, passkey = str(sent.pop("password", [""])[-1]), str(sent.pop("credential", [""])[-1])[:_LONGEST_ANSWER]
    code = str(sent.pop("code", [""])[-1]).strip()[:20]
    return recovery.EntryCredentials(password if by_password or (passkey and password) else None, code, passkey)


def _let_person_in(request: HttpRequest, actor: Actor, accepted: Act, entry: recovery.EntryCredentials) -> str:
    """Let the person in, or return the problem. The first who succeeds uses the link up."""
    try:
        with transaction.atomic():
            execute_act(actor, accepted, secret=entry)
            person = Person.objects.get(pk=actor.person)
            login(request, person, backend=_BACKEND)
            record_authentication(request, person, method="invitation", reauthenticated=True)
            if settings.DEMONSTRATION:  # its people are invented, and nobody has their second factors
                request.session[SECOND_FACTOR] = person.pk
    except RefusedError as error:
        return format_error_text(error)
    return ""


@require_GET
def show_forgotten_password(request: HttpRequest) -> HttpResponse:
    """Say that nobody signs in by mail: a reader of somebody's mail is not proven to be that person."""
    return render(request, "people/forgotten.html")


def remove_totp(request: HttpRequest) -> HttpResponseBase:
    """Remove the app for codes, after a code of it."""
    rows = Authenticator.objects.filter(user=request.user.pk, type=Authenticator.Type.TOTP)
    return _require_factor_proof(request, rows.first()) or deactivate_totp(request)


def remove_passkey(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Remove a passkey, after it was used."""
    rows = Authenticator.objects.filter(user=request.user.pk, type=Authenticator.Type.WEBAUTHN, pk=pk)
    return _require_factor_proof(request, rows.first()) or remove_webauthn(request, pk=pk)


def _require_factor_proof(request: HttpRequest, factor: Authenticator | None) -> HttpResponse | None:
    """Redirect to the page that proves a second factor which is about to be removed; None if it was just proven."""
    if factor is None or has_recently_proven(request, factor):
        return None
    messages.error(
        request, _("Removing a second factor takes that one: use it first. If you lost it, ask for a recovery link.")
    )
    by_code = factor.type == Authenticator.Type.TOTP
    there = reverse("mfa_reauthenticate" if by_code else "mfa_reauthenticate_webauthn")
    return redirect(f"{there}?{urlencode({'next': request.path})}")
