"""The beginning, when there is nobody yet who could be the second person: the first administrator gives roles alone.

That ends for good once two administrators and two security officers were there. Each such grant stays marked.
"""

from muniment.access.actions import Action
from muniment.access.authorize import Actor
from muniment.access.roles import EVERYWHERE, Role
from muniment.server.acts.act import Act
from muniment.server.people.models import RoleGrant, in_force
from muniment.server.people.role_acts import GrantRole
from muniment.server.requests.models import Bootstrap

_ENOUGH = 2


def alone(actor: Actor, action: Action) -> bool:
    """Whether an administrator may still give a role that changes things alone."""
    is_admin = any(grant.role is Role.ADMIN and grant.product == EVERYWHERE for grant in actor.grants)
    return action is Action.GRANT_CHANGING_ROLE and is_admin and not Bootstrap.objects.filter(finished=True).exists()


def is_first_administrator(act: Act) -> bool:
    """Whether the act is the one that nobody else could approve: it makes an administrator where there is none.

    That is the whole organisation's, without an end; anybody else's role is granted by a person.
    """
    first = GrantRole(person=getattr(act, "person", ""), role=Role.ADMIN)
    grants = RoleGrant.objects.filter(in_force(), role=Role.ADMIN, product=None, person__active=True)
    return act == first and not grants.exists()


def note() -> None:
    """End the beginning if there are enough people now. It never comes back."""
    if Bootstrap.objects.filter(finished=True).exists():
        return
    found = RoleGrant.objects.filter(in_force(), product=None, person__active=True)
    if all(
        found.filter(role=role).values("person").distinct().count() >= _ENOUGH for role in (Role.ADMIN, Role.SECURITY)
    ):
        Bootstrap.objects.get_or_create(id=1, defaults={"finished": True})
