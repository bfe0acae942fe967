"""Which incidents a person may see or handle: what lists are filtered by."""

from django.db.models import Q

from muniment.access.actions import Action
from muniment.access.authorize import Actor, products


def visible_incidents(actor: Actor, action: Action = Action.SEE_INCIDENTS) -> Q:
    """The condition on an incident under which the actor may do that action on it."""
    found = products(actor, action)
    return Q() if found is None else Q(product__slug__in=found)
