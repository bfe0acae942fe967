"""Which incidents a person may see or handle: what lists are filtered by."""

from django.db.models import Q, QuerySet
from msgspec import structs

from muniment.access.actions import Action
from muniment.access.authorize import Actor, products
from muniment.server.incidents.models import Incident, open_ones

_SHOWN = 20


def visible_incidents(actor: Actor, action: Action = Action.SEE_INCIDENTS) -> Q:
    """The condition on an incident under which the actor may do that action on it."""
    found = products(actor, action)
    return Q() if found is None else Q(product__slug__in=found)


def find_handled_incidents(actor: Actor) -> "QuerySet[Incident]":
    """The open ones that this one may handle, and that nobody else has taken on: the first due on top."""
    free = Q(owner=None) | Q(owner=actor.person)
    proved = structs.replace(actor, second_factor=True)  # to be reminded of it takes none
    return open_ones().filter(free).filter(visible_incidents(proved, Action.HANDLE_INCIDENT))[:_SHOWN]
