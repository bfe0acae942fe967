"""Pages about people: the list, one person, one's own account, and the door that a first link opens."""

from datetime import timedelta
from typing import Any

from allauth.account.internal.flows.login import record_authentication
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.password_validation import validate_password
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from muniment.access.actions import Action
from muniment.access.authorize import ORGANISATION, Actor, Why, authorize
from muniment.access.roles import Role
from muniment.server.guarding.mediation import acting, allowing, may, own, requires
from muniment.server.pages import given, me, page, tried
from muniment.server.people import claims, machines, published
from muniment.server.people.actors import has_second_factor
from muniment.server.people.acts import changes_things, grant_told
from muniment.server.people.models import SLUG, Account, Grant, Invitation, Mail, Message, Person, Token, held
from muniment.server.people.privacy import RULES, kept_of
from muniment.server.products.models import Product
from muniment.server.proposals.doing import ask
from muniment.server.proposals.models import Proposal
from muniment.server.record.entering import act, code
from muniment.server.running.preparing import invite

_BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
_DAYS = (7, 30, 90, 365)


@require_GET
@requires(Action.SEE_PEOPLE)
def people(request: HttpRequest) -> HttpResponse:
    """Everybody, with their roles."""
    rows = Person.objects.prefetch_related("grants__product")
    find = request.GET.get("find", "").strip()[:100]
    if find:
        rows = rows.filter(Q(name__icontains=find) | Q(slug__icontains=find))
    found = page(request, rows)
    for person in found.rows:
        person.held = [grant for grant in person.grants.all() if grant.holds]
    context = {"page": found, "find": find, "more": urlencode({"find": find}) if find else ""}
    return render(request, "people/list.html", {**context, "may_add": _changes(request, Action.CHANGE_PERSON)})


@require_POST
@requires(Action.CHANGE_PERSON)
def add(request: HttpRequest) -> HttpResponse:
    """Add somebody."""
    what = {"do": "add", **given(request, ("id", "name", "email"))}
    told = f"add {what['name']} ({what['id']})"
    return tried(request, lambda: ask(acting(request), Action.CHANGE_PERSON, what, told), _("Added."), "people")


@require_GET
@requires(Action.SEE_PEOPLE)
def person(request: HttpRequest, slug: str) -> HttpResponse:
    """One person."""
    found = get_object_or_404(Person, slug=slug)
    personal = may(request, Action.SEE_PERSONAL) or slug == acting(request).person
    return render(
        request,
        "people/person.html",
        {
            "person": found,
            "grants": found.grants.select_related("product", "by", "second").order_by("-pk"),
            "accounts": found.accounts.select_related("by") if personal else (),
            "personal": personal,
            "changes": _changes(request, Action.CHANGE_PERSON),
            "gives": _changes(request, Action.GRANT_ROLE),
            "exports": _changes(request, Action.EXPORT_PERSONAL),
            "roles": [(role.value, _(role.label)) for role in Role],
            "kinds": Account.Kind.choices,
            "products": Product.objects.filter(retired=None) if may(request, Action.SEE_STATE) else (),
        },
    )


@require_POST
@requires(Action.CHANGE_PERSON)
def change(request: HttpRequest, slug: str) -> HttpResponse:
    """Change particulars, let somebody leave or come back, add or drop what is theirs."""
    what: dict[str, Any] = {"id": slug, **given(request, ("do", "name", "email", "kind", "value"))}
    if what["do"] not in ("change", "leave", "return", "account", "drop"):
        raise Http404
    if what["do"] == "drop":
        number = given(request, ("account",))["account"]
        what["account"] = int(number) if number.isascii() and number.isdigit() else 0
    told = f"{_STEPS[what['do']]} {slug}"
    return tried(request, lambda: ask(acting(request), Action.CHANGE_PERSON, what, told), _("Done."), "person", slug)


_STEPS = {
    "change": "change the particulars of",
    "leave": "let leave:",
    "return": "let come back:",
    "account": "add an account of",
    "drop": "drop an account of",
}


@require_POST
@requires(Action.TRUST_MACHINE)
def trust_machine(request: HttpRequest) -> HttpResponse:
    """Ask for one more machine's word on tests to be checked."""
    what = given(request, ("id", "key"))
    told = machines.told_of(what)
    return tried(request, lambda: ask(acting(request), Action.TRUST_MACHINE, what, told), _("Done."), "builders")


@require_POST
@requires(Action.CLOSE_MACHINE)
def close_machine(request: HttpRequest, slug: str) -> HttpResponse:
    """No longer take a machine's word."""
    what, told = {"id": slug}, f"no longer take the word of the machine {slug}"
    return tried(request, lambda: ask(acting(request), Action.CLOSE_MACHINE, what, told), _("Done."), "builders")


@require_POST
@requires(Action.GRANT_ROLE)
def grant(request: HttpRequest, slug: str) -> HttpResponse:
    """Give a role, or take one away. A role that changes things waits for a second person."""
    what = {"id": slug, **given(request, ("do", "role", "product", "last"))}
    if what["do"] not in ("give", "take") or what["role"] not in set(Role):
        raise Http404
    dangerous = what["do"] == "give" and changes_things(what["role"])
    action = Action.GRANT_CHANGING_ROLE if dangerous else Action.GRANT_ROLE
    told = grant_told(what)
    return tried(request, lambda: ask(acting(request), action, what, told), _("Done."), "person", slug)


@require_POST
@requires(Action.CHANGE_PERSON)
def invitation(request: HttpRequest, slug: str) -> HttpResponse:
    """A link that lets somebody in once; shown once, to be handed over."""
    found = get_object_or_404(Person, slug=slug, active=True)
    act(acting(request), Action.CHANGE_PERSON, f"person:{slug}", {"step": "invited"})
    link = request.build_absolute_uri(invite(found))
    return render(request, "people/invited.html", {"person": found, "link": link})


@require_GET
@requires(Action.EXPORT_PERSONAL)
def export(request: HttpRequest, slug: str) -> HttpResponse:
    """All that is kept of somebody, to be handed to them."""
    found = get_object_or_404(Person, slug=slug)
    act(acting(request), Action.EXPORT_PERSONAL, f"person:{slug}", {"step": "exported"})
    return _file(found)


@require_GET
@requires(Action.OWN_ACCOUNT, own)
def my_export(request: HttpRequest) -> HttpResponse:
    """All that is kept of the one who asks: nobody else has to agree. Once a minute, for it reads the whole record."""
    who = me(request)
    if not cache.add(f"export:{who.pk}", 1, timeout=60):
        return render(request, "429.html", status=429)
    act(acting(request), Action.OWN_ACCOUNT, f"person:{who.slug}", {"step": "exported what is kept of them"})
    return _file(who)


def _file(who: Person) -> HttpResponse:
    answer = JsonResponse(kept_of(who), json_dumps_params={"indent": 1})
    answer["Content-Disposition"] = f'attachment; filename="{who.slug}.json"'
    return answer


@require_POST
@requires(Action.ERASE_PERSONAL)
def erase(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask for everything of somebody who left to be erased; an administrator agrees."""
    reason = given(request, ("reason",))["reason"].strip()
    told = f"erase what is kept of {slug}"
    return tried(
        request,
        lambda: ask(acting(request), Action.ERASE_PERSONAL, {"id": slug}, told, reason),
        _("Done."),
        "person",
        slug,
    )


@require_POST
@requires(Action.HOLD_PERSONAL)
def hold(request: HttpRequest, slug: str) -> HttpResponse:
    """Keep what is kept of somebody for a legal claim; without a reason, no longer."""
    what = {"id": slug, **given(request, ("reason",))}
    told = f"keep what is kept of {slug} for a claim" if what["reason"] else f"no longer keep what is kept of {slug}"
    return tried(request, lambda: ask(acting(request), Action.HOLD_PERSONAL, what, told), _("Done."), "person", slug)


@require_GET
@requires(Action.OWN_ACCOUNT, own)
def privacy(request: HttpRequest) -> HttpResponse:
    """What is kept of people, why, how long, and whom to ask: for everybody who has an account."""
    officers = Grant.objects.filter(held(), role=Role.DPO, person__active=True).select_related("person")
    return render(request, "people/privacy.html", {"rules": RULES, "officers": officers})


@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def welcome(request: HttpRequest, text: str) -> HttpResponse:
    """The door that a first link opens, once: who you are, and a password or a passkey."""
    found = Invitation.valid(text).first()
    if found is None:
        return render(request, "people/expired.html", status=410)
    who: Person = found.person
    fresh = not who.has_usable_password() and not has_second_factor(who)
    filled = {"id": who.slug, "name": who.name, "email": who.email or ""}
    problems: list[str] = []
    if request.method == "POST":
        filled = given(request, ("id", "name", "email"))
        if not fresh:
            filled["id"] = who.slug
        problems = _enter(request, found, filled)
        if not problems:
            return redirect("mfa_index" if request.POST.get("way") == "password" else "mfa_add_webauthn")
    return render(request, "people/welcome.html", {"filled": filled, "fresh": fresh, "problems": problems})


def _enter(request: HttpRequest, found: Invitation, filled: dict[str, str]) -> list[str]:
    """Let the person in, or say what is wrong. The link is used up by the first who comes this far."""
    who = found.person
    password = str(request.POST.get("password", ""))
    who.slug, who.name, who.email = filled["id"], filled["name"].strip(), filled["email"].strip() or None
    try:
        SLUG(who.slug)
        who.full_clean(exclude=["password"])
        if request.POST.get("way") == "password":
            validate_password(password, who)
            who.set_password(password)
    except ValidationError as error:
        return list(error.messages)
    with transaction.atomic(), allowing(Action.OWN_ACCOUNT):
        if not Invitation.objects.filter(pk=found.pk, ended=None).update(ended=timezone.now()):
            return [_("This link was used already.")]
        who.save()
        actor = Actor(person=who.slug, active=True, grants=who.roles())
        act(actor, Action.OWN_ACCOUNT, f"person:{who.slug}", {"step": "came in by invitation"})
        login(request, who, backend=_BACKEND)
        record_authentication(request, who, method="invitation", reauthenticated=True)
    return []


@require_GET
def forgotten(request: HttpRequest) -> HttpResponse:
    """Nobody gets in by mail: whoever reads somebody's mail is not that person yet."""
    return render(request, "people/forgotten.html")


@require_GET
@requires(Action.OWN_ACCOUNT, own)
def mine(request: HttpRequest) -> HttpResponse:
    """One's own account: what is signed in with, tokens, keys, and what one asked for."""
    who = me(request)
    now = timezone.now()
    return render(
        request,
        "people/mine.html",
        {
            "person": who,
            "second_factor": acting(request).second_factor,
            "has_second_factor": has_second_factor(who),
            "grants": who.grants.filter(held()).select_related("product"),
            "tokens": who.tokens.filter(ended=None, expires__gt=now).order_by("-pk"),
            "accounts": who.accounts.select_related("by"),
            "email_proven": _proven(who),
            "claim": claims.current(who),
            "forges": sorted(published.known()),
            "kinds": Account.Kind.choices,
            "asked": Proposal.objects.filter(asker=who).order_by("-pk")[:20],
            "days": _DAYS,
            "scopes": [(code(action), _(action.rule.text)) for action in Action if action.rule.roles],
        },
    )


@require_http_methods(["GET", "POST"])
@requires(Action.OWN_ACCOUNT, own)
def inbox(request: HttpRequest) -> HttpResponse:
    """What one was told, and how one wants to be written to. What is shown counts as read."""
    who = me(request)
    if request.method == "POST":
        wanted = given(request, ("mail",))["mail"]
        if wanted in Mail.values:
            Person.objects.filter(pk=who.pk).update(mail=wanted)
            messages.success(request, _("Saved."))
        return redirect("inbox")
    found = page(request, Message.objects.filter(person=who))
    answer = render(request, "people/inbox.html", {"page": found, "ways": Mail.choices, "way": who.mail})
    Message.objects.filter(pk__in=[row.pk for row in found.rows], read=None).update(read=timezone.now())
    return answer


@require_GET
@requires(Action.OWN_ACCOUNT, own)
def addresses(request: HttpRequest) -> HttpResponse:
    """In place of allauth's page of addresses, which keeps its own: there is one place where they are proven."""
    return redirect("me")


@require_POST
@requires(Action.CLAIM_ACCOUNT, own)
def claim(request: HttpRequest) -> HttpResponse:
    """Say that an address, key or login is one's own, then prove it."""
    who = me(request)
    fields = given(request, ("kind", "value", "signature", "code"))

    def begin() -> None:
        claims.begin(who, fields["kind"], fields["value"])

    if not fields["signature"] and not fields["code"]:
        return tried(request, begin, _("Now prove it: see below."), "me")
    claims.count_try(who)

    def prove() -> None:
        account = claims.finish(who, signature=fields["signature"], code=fields["code"])
        details = {"step": f"proved: {account.kind}", "proof": account.proof}
        act(acting(request), Action.CLAIM_ACCOUNT, f"person:{who.slug}", details)

    return tried(request, prove, _("It is yours: that is proven."), "me")


@require_POST
@requires(Action.OWN_ACCOUNT, own)
def token(request: HttpRequest) -> HttpResponse:
    """A token for a program, shown once. It can do no more than its person, and only what it is for."""
    fields = given(request, ("name", "days"))
    wanted = [action for action in Action if action.rule.roles and code(action) in request.POST.getlist("scope")]
    if fields["days"] not in map(str, _DAYS) or not fields["name"].strip() or not wanted:
        messages.error(request, _("Give it a name, a time, and at least one thing that it is for."))
        return redirect("me")
    if any(action.rule.changes for action in wanted) and not acting(request).second_factor:
        messages.error(request, _("A token that changes things takes a second factor: sign in with yours first."))
        return redirect("mfa_index")
    text, hashed = Token.fresh()
    Token.objects.create(
        person=me(request),
        name=fields["name"].strip()[:100],
        hash=hashed,
        expires=timezone.now() + timedelta(days=int(fields["days"])),
        scopes=[code(action) for action in wanted],
        second_factor=acting(request).second_factor,
    )
    details = {"step": "made a token", "scopes": " ".join(code(action) for action in wanted)}
    act(acting(request), Action.OWN_ACCOUNT, f"person:{me(request).slug}", details)
    return render(request, "people/token.html", {"token": text, "name": fields["name"]})


@require_POST
@requires(Action.OWN_ACCOUNT, own)
def end_token(request: HttpRequest, number: int) -> HttpResponse:
    """End a token of one's own."""
    get_object_or_404(Token, pk=number, person=me(request))
    Token.objects.filter(pk=number, person=me(request)).update(ended=timezone.now())
    act(acting(request), Action.OWN_ACCOUNT, f"person:{me(request).slug}", {"step": "ended a token"})
    messages.success(request, _("The token is ended."))
    return redirect("me")


def _changes(request: HttpRequest, action: Action) -> bool:
    """Whether to show a form: a missing second factor is asked for when it is sent."""
    why = authorize(acting(request), action, ORGANISATION)
    return why in (Why.YES, Why.NO_SECOND_FACTOR)


def _proven(person: Person) -> bool:
    """Whether the address that they sign in with was proven to be theirs."""
    if not person.email:
        return False
    same = Account.sameness(Account.Kind.EMAIL, person.email)
    return person.accounts.filter(same=same).exclude(proof=Account.Proof.ADMINISTRATOR).exists()
