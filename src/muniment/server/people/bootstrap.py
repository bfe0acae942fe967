"""Bootstrap: while no second person exists, one person sets the service up alone.

It ends once two administrators and two security officers can sign in with a second factor, and never returns: not
when people leave, and not when roles or second factors are removed. Acts of one person alone stay marked.
"""

import os

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.db.models import Q

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.access.roles import EVERYWHERE, Role
from muniment.server.acts.act import Act
from muniment.server.people.models import Bootstrap, RoleGrant, build_in_force_condition
from muniment.server.people.role_acts import GrantRole

NEEDED_ADMINISTRATORS = 2  # of each of the two roles
SETTING_UP = (Role.ADMIN, Role.SECURITY)
_BY_TWO = frozenset(  # decisions and the store ask for the statements of two people, and no set-up needs one of these
    {Action.REQUEST_EXCEPTION, Action.LIFT_FREEZE, Action.BREAK_GLASS_DEPLOYMENT, Action.ERASE_PERSONAL_DATA}
)


def may_act_alone(actor: Actor, action: Action) -> bool:
    """Whether the actor may still carry out alone an act that requires two people."""
    sets_up = any(grant.role in SETTING_UP and grant.product == EVERYWHERE for grant in actor.grants)
    return sets_up and action not in _BY_TWO and not is_bootstrap_finished()


def is_first_administrator(act: Act) -> bool:
    """Whether the act is the one that nobody else could approve: it makes an administrator where there is none.

    That is the whole organisation's, without an end; anybody else's role is granted by a person.
    """
    first = GrantRole(person=getattr(act, "person", ""), role=Role.ADMIN)
    grants = RoleGrant.objects.filter(build_in_force_condition(), role=Role.ADMIN, product=None, person__active=True)
    return act == first and not grants.exists()


def is_bootstrap_finished() -> bool:
    """Whether the bootstrap is over."""
    return Bootstrap.objects.filter(finished=True).exists()


def count_eligible_holders(role: Role) -> int:
    """Number of people who hold a role for the whole organisation and can sign in with a second factor."""
    able = Q(person__in=Authenticator.objects.exclude(type=Authenticator.Type.RECOVERY_CODES).values("user"))
    if os.environ.get("MUNIMENT_OIDC_MFA") == "yes":  # the company's sign-in proves the second factor
        able |= Q(person__in=SocialAccount.objects.values("user"))
    found = RoleGrant.objects.filter(build_in_force_condition(), able, product=None, person__active=True, role=role)
    return found.values("person").distinct().count()


def finish_bootstrap_if_ready() -> None:
    """End the bootstrap if there are enough people now. Also called before an act, which may remove one of them."""
    if not is_bootstrap_finished() and all(
        count_eligible_holders(role) >= NEEDED_ADMINISTRATORS for role in SETTING_UP
    ):
        Bootstrap.objects.get_or_create(id=1, defaults={"finished": True})
