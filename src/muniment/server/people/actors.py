"""Actor of each request: loaded anew, so that a person who left, or lost a role, is refused at once."""

import time

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from django.http import HttpRequest

from muniment.access.authorization import ANYBODY, Actor
from muniment.server.people.models import Person

SECOND_FACTOR = "second_factor"
_JUST_SECONDS = 900


def load_actor(request: HttpRequest) -> Actor:
    """Actor of this session: the person with the roles held now; ANYBODY if nobody is signed in."""
    person = request.user
    if not isinstance(person, Person):
        return ANYBODY
    return Actor(
        person=person.pk,
        active=person.active,
        grants=person.load_roles(),
        second_factor=_has_proven_factor(request, person),
        suspended=person.approvals_suspended,
    )


def has_passkey(person: Person) -> bool:
    """Whether the person can sign in without a password."""
    return bool(Authenticator.objects.filter(user=person, type=Authenticator.Type.WEBAUTHN).exists())


def has_second_factor(person: Person) -> bool:
    """Whether the person has any second factor."""
    return bool(Authenticator.objects.filter(user=person).exists())


def has_recently_proven(request: HttpRequest, factor: Authenticator) -> bool:
    """Whether this session used exactly this second factor a short while ago."""
    since = time.time() - _JUST_SECONDS
    return any(
        record.get("method") == "mfa" and record.get("id") == factor.pk and record.get("at", 0) >= since
        for record in get_authentication_records(request, factor.user)
    )


def _has_proven_factor(request: HttpRequest, person: Person) -> bool:
    """Whether this session proved a second factor: a passkey, a code, or by setting one up."""
    if request.session.get(SECOND_FACTOR) == person.pk:
        return True
    return any(record.get("method") == "mfa" for record in get_authentication_records(request, person))


def signed_in_person(request: HttpRequest) -> Person:
    """Person who is signed in. For views whose action requires a person: raises TypeError otherwise."""
    person = request.user
    if not isinstance(person, Person):
        raise TypeError("nobody is signed in")
    return person
