"""The beginning, when there is nobody yet who could be the second person: the first administrator gives roles alone.

That ends for good once two administrators and two security officers were there. Each such grant stays marked.
"""

from muniment.access.actions import Action
from muniment.access.authorize import Actor
from muniment.access.roles import EVERYWHERE, Role
from muniment.server.people.models import Grant, held
from muniment.server.proposals.models import Beginning

_ENOUGH = 2


def alone(actor: Actor, action: Action) -> bool:
    """Whether an administrator may still give a role that changes things alone."""
    is_admin = any(grant.role is Role.ADMIN and grant.product == EVERYWHERE for grant in actor.grants)
    return action is Action.GRANT_CHANGING_ROLE and is_admin and not Beginning.objects.filter(over=True).exists()


def note() -> None:
    """End the beginning if there are enough people now. It never comes back."""
    if Beginning.objects.filter(over=True).exists():
        return
    found = Grant.objects.filter(held(), product=None, person__active=True)
    if all(
        found.filter(role=role).values("person").distinct().count() >= _ENOUGH for role in (Role.ADMIN, Role.SECURITY)
    ):
        Beginning.objects.get_or_create(id=1, defaults={"over": True})
