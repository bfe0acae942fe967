"""The page of one's own account, with what one requested."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from muniment.access.actions import Action
from muniment.server.guarding.mediation import acting, own, requires
from muniment.server.people import published, verifications
from muniment.server.people.actors import has_second_factor, me
from muniment.server.people.authenticators import shown_authenticators
from muniment.server.people.models import Account, Person, in_force
from muniment.server.requests.execution import confirms_own
from muniment.server.requests.models import Request
from muniment.server.requests.signing import read_signing


@require_GET
@requires(Action.MANAGE_OWN_ACCOUNT, own)
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
            "grants": who.role_grants.filter(in_force()).select_related("product"),
            "tokens": who.api_tokens.filter(ended_at=None, expires_at__gt=now).order_by("-pk"),
            "accounts": who.accounts.select_related("vouched_by", "confirmed_by"),
            "email_proven": _proven(who),
            "verification": verifications.current_verification(who),
            "forges": sorted(published.provable()),
            "authenticators": shown_authenticators(who),
            "asked": _read_requests(who),
        },
    )


def _read_requests(who: Person) -> list[Request]:
    """The newest requests of a person, those that wait with what their signatures need."""
    found = list(Request.objects.filter(requester=who).order_by("-pk")[:20])
    for row in found:
        if row.state == Request.State.WAITING:
            row.signing = read_signing(row, who.pk)  # type: ignore[attr-defined]
            row.carries_out = confirms_own(row)  # type: ignore[attr-defined]
    return found


def _proven(person: Person) -> bool:
    """Whether the address that they sign in with was proven to be theirs."""
    if not person.email:
        return False
    same = Account.hash_identity(Account.Kind.EMAIL, person.email)
    return person.accounts.filter(Account.counting(), identity_hash=same).exists()
