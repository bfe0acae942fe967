"""Who asks: found anew for each request, so that whoever left, or lost a role, is known at once."""

import time

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from django.http import HttpRequest

from muniment.access.authorize import ANYBODY, Actor
from muniment.server.people.models import Person

SECOND_FACTOR = "second_factor"
_JUST_SECONDS = 900


def actor_of(request: HttpRequest) -> Actor:
    """The person of this session, with the roles of now; ANYBODY for none."""
    person = request.user
    if not isinstance(person, Person):
        return ANYBODY
    return Actor(
        person=person.pk,
        active=person.active,
        grants=person.roles(),
        second_factor=_second_factor(request, person),
        suspended=person.approvals_suspended,
    )


def has_passkey(person: Person) -> bool:
    """Whether they can sign in without a password."""
    return bool(Authenticator.objects.filter(user=person, type=Authenticator.Type.WEBAUTHN).exists())


def has_second_factor(person: Person) -> bool:
    """Whether they have one at all."""
    return bool(Authenticator.objects.filter(user=person).exists())


def has_just_proven(request: HttpRequest, factor: Authenticator) -> bool:
    """Whether this session used exactly this second factor a short while ago."""
    since = time.time() - _JUST_SECONDS
    return any(
        record.get("method") == "mfa" and record.get("id") == factor.pk and record.get("at", 0) >= since
        for record in get_authentication_records(request, factor.user)
    )


def _second_factor(request: HttpRequest, person: Person) -> bool:
    """Whether this session proved one: a passkey, a code, or by just having set one up."""
    if request.session.get(SECOND_FACTOR) == person.pk:
        return True
    return any(record.get("method") == "mfa" for record in get_authentication_records(request, person))


def me(request: HttpRequest) -> Person:
    """Who is signed in. Only in views whose action takes somebody."""
    person = request.user
    if not isinstance(person, Person):
        raise TypeError("nobody is signed in")
    return person
