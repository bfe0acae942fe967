"""Page of one's own account, with one's own requests."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from muniment.access.actions import Action
from muniment.server.guarding.mediation import current_actor, find_own_resource, require_action
from muniment.server.people import published_keys, verifications
from muniment.server.people.actors import has_second_factor, signed_in_person
from muniment.server.people.authenticators import list_authenticators
from muniment.server.people.models import Account, Person, build_in_force_condition
from muniment.server.requests.execution import may_confirm_own
from muniment.server.requests.models import Request
from muniment.server.requests.signature_status import read_signature_status

APPEARANCE_COOKIE = "muniment_appearance"
APPEARANCES = {"": _("As the system"), "light": _("Light"), "dark": _("Dark")}
_YEAR_SECONDS = 365 * 24 * 3600


@require_GET
@require_action(Action.MANAGE_OWN_ACCOUNT, find_own_resource)
def show_own_account(request: HttpRequest) -> HttpResponse:
    """Show one's own account: sign-in methods, tokens, keys, and own requests."""
    who = signed_in_person(request)
    now = timezone.now()
    return render(
        request,
        "people/mine.html",
        {
            "person": who,
            "second_factor": current_actor(request).second_factor,
            "has_second_factor": has_second_factor(who),
            "grants": who.role_grants.filter(build_in_force_condition()).select_related("product"),
            "tokens": who.api_tokens.filter(ended_at=None, expires_at__gt=now).order_by("-pk"),
            "accounts": who.accounts.select_related("vouched_by", "confirmed_by"),
            "email_proven": _is_address_proven(who),
            "verification": verifications.find_current_verification(who),
            "forges": sorted(published_keys.find_provable_forges()),
            "authenticators": list_authenticators(who),
            "asked": _find_own_requests(who),
            "appearances": APPEARANCES.items(),
            "languages": settings.LANGUAGES if len(settings.LANGUAGES) > 1 else (),
        },
    )


@require_POST
@require_action(Action.MANAGE_OWN_ACCOUNT, find_own_resource)
def change_appearance(request: HttpRequest) -> HttpResponse:
    """Remember in a cookie of this browser whether pages are light, dark or as the system; anything else is refused."""
    chosen = request.POST.get("appearance", "")
    if chosen not in APPEARANCES:
        return HttpResponse(status=400)
    answer = redirect("me")
    answer.set_cookie(
        APPEARANCE_COOKIE, chosen, max_age=_YEAR_SECONDS, secure=request.is_secure(), httponly=True, samesite="Lax"
    )
    return answer


@require_POST
@require_action(Action.MANAGE_OWN_ACCOUNT, find_own_resource)
def change_language(request: HttpRequest) -> HttpResponse:
    """Remember in a cookie of this browser in which language pages are; one that they are not in is refused."""
    chosen = request.POST.get("language", "")
    if chosen not in dict(settings.LANGUAGES):
        return HttpResponse(status=400)
    answer = redirect("me")
    answer.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        chosen,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite="Lax",
    )
    return answer


def _find_own_requests(person: Person) -> list[Request]:
    """Newest requests of a person, those that wait with what their signatures need."""
    found = list(Request.objects.filter(requester=person).order_by("-pk")[:20])
    for row in found:
        if row.state == Request.State.WAITING:
            row.signing = read_signature_status(row, person.pk)  # type: ignore[attr-defined]
            row.carries_out = may_confirm_own(row)  # type: ignore[attr-defined]
    return found


def _is_address_proven(person: Person) -> bool:
    """Whether the address that they sign in with was proven to be theirs."""
    if not person.email:
        return False
    same = Account.hash_identity(Account.Kind.EMAIL, person.email)
    return person.accounts.filter(Account.counting_condition(), identity_hash=same).exists()
