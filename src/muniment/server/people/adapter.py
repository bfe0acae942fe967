"""Hooks of allauth: nobody signs up alone, and a company account belongs to a known person."""

import logging
import os
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.reauthentication import get_reauthentication_flows
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.db import transaction
from django.http import HttpRequest
from django.shortcuts import render
from django.urls import reverse

from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.errors import MunimentError
from muniment.server.acts.system_actors import SystemActor
from muniment.server.error_text import format_error_text
from muniment.server.people.actors import SECOND_FACTOR
from muniment.server.people.company_sign_in import has_strong_method, parse_group_roles, update_group_roles
from muniment.server.people.models import Account, Person

_FIRST_PAGES = {  # of those who have this role alone; all others begin with the overview
    frozenset({Role.DEVELOPER}): "changes",
    frozenset({Role.AUDITOR}): "ledger",
    frozenset({Role.DPO}): "reviews",
    frozenset({Role.STAKEHOLDER}): "reviews",
    frozenset({Role.ANALYST}): "market-requirements",
}
_log = logging.getLogger("muniment.people")


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Accounts of this service: only an administrator adds people."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """First page after a sign-in that asked for no other: that of the person's work."""
        person = request.user
        roles = frozenset(grant.role for grant in person.load_roles()) if isinstance(person, Person) else frozenset()
        return reverse(_FIRST_PAGES[roles]) if roles in _FIRST_PAGES else str(super().get_login_redirect_url(request))

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Whether the person has to authenticate again first. Nobody can who has neither password nor second factor:
        they have just entered by an invitation, or their company's sign-in authenticates them.
        """
        person = context.request.user
        if person.is_authenticated and not get_reauthentication_flows(person):
            return False
        return bool(super().is_reauthentication_required(app=app, **kwargs))

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Key of the limit of failed sign-ins: a name as tried from one address."""
        return f"{self.get_client_ip(request)}:{super()._get_login_attempts_cache_key(request, **credentials)}"


class CompanyAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Company accounts: each belongs to the person who proved its verified address, and from then on to no other.

    The address that somebody signs in with identifies nobody: an administrator types it, or the user of a link.
    """

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Find the person of a company account, or refuse the sign-in. An unverified address identifies nobody."""
        from muniment.server.guarding.mediation import allow_writes

        claims = sociallogin.account.extra_data
        claims = {**claims.get("id_token", {}), **claims.get("userinfo", claims)}
        person = sociallogin.user if sociallogin.is_existing else self._find_person(claims)
        if person is None or not person.active:
            raise ImmediateHttpResponse(render(request, "people/stranger.html", status=403))
        if not sociallogin.is_existing:
            with allow_writes(Action.MANAGE_OWN_ACCOUNT):  # the provider has just said that it is theirs
                sociallogin.connect(request, person)
            self._link_address(person, claims)
        try:
            update_group_roles(person, claims, parse_group_roles(os.environ.get("MUNIMENT_OIDC_ROLES", "")))
        except MunimentError as error:  # with roles that the company took away nobody comes in
            _log.warning("the roles of a company account could not be updated: %s", error.message)
            refused = render(request, "people/roles_refused.html", {"problem": format_error_text(error)}, status=403)
            raise ImmediateHttpResponse(refused) from None
        if os.environ.get("MUNIMENT_OIDC_MFA") == "yes" and has_strong_method(claims):
            request.session[SECOND_FACTOR] = person.pk

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return False

    @staticmethod
    def _link_address(person: Person, claims: dict[str, object]) -> None:
        """Link the address that the provider verified to the person, unless it is linked to another one."""
        from muniment.server.acts.execution import execute_system_act
        from muniment.server.people.company_acts import LinkCompanyAddress

        values = {"person": person.slug, "address": str(claims["email"])}
        try:
            with transaction.atomic():
                execute_system_act(SystemActor.COMPANY_SIGN_IN, LinkCompanyAddress, values)
        except MunimentError as error:  # they are signed in all the same: the account is theirs without it
            _log.warning("the address of a company account was not linked: %s", error.message)

    @staticmethod
    def _find_person(claims: dict[str, object]) -> Person | None:
        address = claims.get("email")
        if claims.get("email_verified") is not True or not isinstance(address, str):
            return None
        proven = Account.objects.filter(identity_hash=Account.hash_identity(Account.Kind.EMAIL, address.strip()))
        account = proven.filter(Account.counting_condition(), person__active=True).select_related("person").first()
        return account.person if account is not None else None
