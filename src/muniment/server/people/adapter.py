"""How allauth behaves here: nobody makes an account for themselves; a company's account is of somebody known."""

import logging
import os
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import render

from muniment.access.actions import Action
from muniment.errors import MunimentError
from muniment.server.acts.system_actors import SystemActor
from muniment.server.error_text import error_text
from muniment.server.people.actors import SECOND_FACTOR
from muniment.server.people.company import keep_roles, reading_roles, strong
from muniment.server.people.models import Account, Person

_log = logging.getLogger("muniment.people")


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    """An administrator adds people; nobody else does."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """The key of the limit of wrong guesses: a name as one address tries it."""
        return f"{self.get_client_ip(request)}:{super()._get_login_attempts_cache_key(request, **credentials)}"


class SocialAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """A company's account belongs to the person who proved its verified address; from then on to that person alone.

    The address that somebody signs in with identifies nobody: an administrator types it, or whoever enters by a link.
    """

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Says whose it is, or that it is nobody's. Never guesses: an address that was not verified is none."""
        from muniment.server.guarding.mediation import allowing

        claims = sociallogin.account.extra_data
        claims = {**claims.get("id_token", {}), **claims.get("userinfo", claims)}
        person = sociallogin.user if sociallogin.is_existing else self._known(claims)
        if person is None or not person.active:
            raise ImmediateHttpResponse(render(request, "people/stranger.html", status=403))
        if not sociallogin.is_existing:
            with allowing(Action.MANAGE_OWN_ACCOUNT):  # the provider has just said that it is theirs
                sociallogin.connect(request, person)
            self._keep_address(person, claims)
        try:
            keep_roles(person, claims, reading_roles(os.environ.get("MUNIMENT_OIDC_ROLES", "")))
        except MunimentError as error:  # with roles that the company took away nobody comes in
            _log.warning("the roles of a company account could not be updated: %s", error.message)
            refused = render(request, "people/roles_refused.html", {"problem": error_text(error)}, status=403)
            raise ImmediateHttpResponse(refused) from None
        if os.environ.get("MUNIMENT_OIDC_MFA") == "yes" and strong(claims):
            request.session[SECOND_FACTOR] = person.pk

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        """Never."""
        return False

    @staticmethod
    def _keep_address(person: Person, claims: dict[str, Any]) -> None:
        """The provider has verified the address by which it is this person: proven, unless it is somebody else's."""
        from muniment.server.acts.execution import execute_system_act
        from muniment.server.people.company_acts import LinkCompanyAddress

        values = {"person": person.slug, "address": str(claims["email"])}
        try:
            with transaction.atomic():
                execute_system_act(SystemActor.COMPANY_SIGN_IN, LinkCompanyAddress, values)
        except MunimentError as error:  # they are signed in all the same: the account is theirs without it
            _log.warning("the address of a company account was not linked: %s", error.message)

    @staticmethod
    def _known(claims: dict[str, Any]) -> Person | None:
        address = claims.get("email")
        if claims.get("email_verified") is not True or not isinstance(address, str):
            return None
        proven = Account.objects.filter(identity_hash=Account.hash_identity(Account.Kind.EMAIL, address.strip()))
        account = proven.filter(Account.counting(), person__active=True).select_related("person").first()
        return account.person if account is not None else None
