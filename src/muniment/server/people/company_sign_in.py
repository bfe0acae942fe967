"""Sign-in with the company's own accounts (OpenID Connect): the person of an account, and the roles of its groups.

MUNIMENT_OIDC_ISSUER  the provider, such as https://login.example.test
MUNIMENT_OIDC_CLIENT, MUNIMENT_OIDC_SECRET
MUNIMENT_OIDC_ROLES   such as "audit-team=auditor, board=management": only roles that change nothing are granted so
MUNIMENT_OIDC_MFA     "yes": a sign-in of which the provider says `amr: mfa` counts as one with a second factor
"""

import logging
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from muniment.access.roles import Role
from muniment.errors import ParseError, RefusedError
from muniment.server.setting_addresses import split_address
from muniment.server.text_marks import gettext_noop

PROVIDER = "company"
_log = logging.getLogger("muniment.people")
_STRONG = frozenset({"mfa", "hwk", "swk", "otp", "fido", "phr", "phrh"})  # RFC 8176 and what providers add


def read_provider_settings(environment: Mapping[str, str]) -> dict[str, object]:
    """Settings of allauth for the provider; no app if none is named. Raises ParseError for incomplete settings."""
    issuer = environment.get("MUNIMENT_OIDC_ISSUER", "")
    client, secret = environment.get("MUNIMENT_OIDC_CLIENT", ""), environment.get("MUNIMENT_OIDC_SECRET", "")
    if not issuer:
        return {"openid_connect": {"APPS": []}}
    if split_address("MUNIMENT_OIDC_ISSUER", issuer).scheme not in ("https", "http") or not client or not secret:
        raise ParseError(
            "incomplete-setting",
            gettext_noop("signing in with the company's accounts is set up by half"),  # the settings are being read
            gettext_noop("Set MUNIMENT_OIDC_ISSUER (an address), MUNIMENT_OIDC_CLIENT and MUNIMENT_OIDC_SECRET."),
        )
    app = {"provider_id": PROVIDER, "name": "the company's account", "client_id": client, "secret": secret}
    return {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [{**app, "settings": {"server_url": issuer}}]}}


def read_provider_origin(environment: Mapping[str, str]) -> str:
    """Origin that browsers are sent to for signing in, for the content security policy; "" for none. Raises
    ParseError.
    """
    parts = split_address("MUNIMENT_OIDC_ISSUER", environment.get("MUNIMENT_OIDC_ISSUER", ""))
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def parse_group_roles(text: str) -> dict[str, Role]:
    """Role that each group grants. Raises ParseError for an unknown role, or one that changes things."""
    from muniment.server.people.role_acts import is_changing_role

    found: dict[str, Role] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        group, _sign, role = (word.strip() for word in pair.partition("="))
        if not group or role not in set(Role) or is_changing_role(Role(role)):
            raise ParseError(
                "no-reading-role",
                _("MUNIMENT_OIDC_ROLES: %(pair)r gives no role that only reads") % {"pair": pair},
                _("Write group=role, with a role that changes nothing: people give the others, two of them."),
            )
        found[group] = Role(role)
    return found


def has_strong_method(claims: Mapping[str, object]) -> bool:
    """Whether the provider says that the sign-in required more than a password."""
    methods = claims.get("amr")
    return isinstance(methods, list) and bool(_STRONG & {method for method in methods if isinstance(method, str)})


def update_group_roles(person: Any, claims: Mapping[str, object], wanted: Mapping[str, Role]) -> None:
    """Grant the roles of the groups that the provider names now, and end those of others. Without groups, all end."""
    from muniment.server.acts.execution import execute_system_act
    from muniment.server.acts.system_actors import SystemActor
    from muniment.server.people.company_acts import GrantGroupRole, RevokeGroupRole
    from muniment.server.people.models import RoleGrant, build_in_force_condition

    named = claims.get("groups")
    groups = {group for group in named if isinstance(group, str)} if isinstance(named, list) else set()
    given = {role.value: group for group, role in wanted.items() if group in groups}
    with transaction.atomic():
        held = RoleGrant.objects.filter(build_in_force_condition(), person=person, product=None)
        over = [row.role for row in held if row.company_group and row.role not in given]
        new = {role: group for role, group in given.items() if not any(row.role == role for row in held)}
        for role in over:
            values = {"person": person.slug, "role": role}
            execute_system_act(SystemActor.COMPANY_SIGN_IN, RevokeGroupRole, values)
        for role, group in new.items():
            values = {"person": person.slug, "role": role, "group": group}
            try:
                execute_system_act(SystemActor.COMPANY_SIGN_IN, GrantGroupRole, values)
            except RefusedError as error:  # it conflicts with another role: they sign in without this one
                _log.warning("the role %s of a group was not granted (%s)", role, error.code)
