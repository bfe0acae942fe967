"""Signing in with the company's own accounts (OpenID Connect): who that is here, and which roles its groups give.

MUNIMENT_OIDC_ISSUER  the provider, such as https://login.example.test
MUNIMENT_OIDC_CLIENT, MUNIMENT_OIDC_SECRET
MUNIMENT_OIDC_ROLES   such as "audit-team=auditor, board=management": only roles that change nothing are given so
MUNIMENT_OIDC_MFA     "yes": a sign-in of which the provider says `amr: mfa` counts as one with a second factor
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone

from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.errors import UsageError

PROVIDER = "company"
_STRONG = frozenset({"mfa", "hwk", "swk", "otp", "fido", "phr", "phrh"})  # RFC 8176 and what providers add


def providers(environment: Mapping[str, str]) -> dict[str, Any]:
    """allauth's settings for it; no app if none is named. Raises UsageError for half of one."""
    issuer = environment.get("MUNIMENT_OIDC_ISSUER", "")
    client, secret = environment.get("MUNIMENT_OIDC_CLIENT", ""), environment.get("MUNIMENT_OIDC_SECRET", "")
    if not issuer:
        return {"openid_connect": {"APPS": []}}
    if urlsplit(issuer).scheme not in ("https", "http") or not client or not secret:
        raise UsageError(
            "signing in with the company's accounts is set up by half",
            "Set MUNIMENT_OIDC_ISSUER (an address), MUNIMENT_OIDC_CLIENT and MUNIMENT_OIDC_SECRET.",
        )
    app = {"provider_id": PROVIDER, "name": "the company's account", "client_id": client, "secret": secret}
    return {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [{**app, "settings": {"server_url": issuer}}]}}


def origin(environment: Mapping[str, str]) -> str:
    """Where browsers are sent to sign in, for what they are told they may do; "" for nowhere."""
    parts = urlsplit(environment.get("MUNIMENT_OIDC_ISSUER", ""))
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def reading_roles(text: str) -> dict[str, Role]:
    """Group by group, the role that it gives. Raises UsageError for what is no role, or one that changes things."""
    from muniment.server.people.acts import changes_things

    found: dict[str, Role] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        group, _, role = (word.strip() for word in pair.partition("="))
        if not group or role not in set(Role) or changes_things(role):
            raise UsageError(
                f"MUNIMENT_OIDC_ROLES: {pair!r} gives no role that only reads",
                "Write group=role, with a role that changes nothing: people give the others, two of them.",
            )
        found[group] = Role(role)
    return found


def strong(claims: Mapping[str, Any]) -> bool:
    """Whether the provider says that it took more than a password."""
    methods = claims.get("amr")
    return isinstance(methods, list) and bool(_STRONG & {method for method in methods if isinstance(method, str)})


def keep_roles(person: Any, claims: Mapping[str, Any], wanted: Mapping[str, Role]) -> None:
    """Give the roles of the groups that the provider names now, and end those of others. Without groups, all end."""
    from muniment.server.guarding.mediation import allowing
    from muniment.server.people.models import Grant, held
    from muniment.server.record.entering import SHELL, act

    named = claims.get("groups")
    groups = {group for group in named if isinstance(group, str)} if isinstance(named, list) else set()
    given = {role.value: group for group, role in wanted.items() if group in groups}
    with transaction.atomic(), allowing(Action.GRANT_ROLE):
        there = Grant.objects.filter(person=person, ended=None, product=None)
        there.exclude(held()).update(ended=timezone.now())
        over = there.exclude(group="").exclude(role__in=given)
        for role, group in given.items():
            if not there.filter(role=role).exists():
                Grant.objects.create(person=person, role=role, group=group)
                act(SHELL, Action.GRANT_ROLE, f"person:{person.slug}", {"step": "by group", "role": role})
        for grant in over:
            act(SHELL, Action.GRANT_ROLE, f"person:{person.slug}", {"step": "group left", "role": grant.role})
        over.update(ended=timezone.now())
