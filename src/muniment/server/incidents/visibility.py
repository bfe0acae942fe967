"""Visibility of incidents: the filter of lists of those that a person may see or handle."""

from django.db.models import Q, QuerySet
from msgspec import structs

from muniment.access.actions import Action
from muniment.access.authorization import Actor, list_permitted_products
from muniment.server.incidents.models import Incident, find_open_incidents

_SHOWN = 20


def visible_incident_filter(actor: Actor, action: Action = Action.SEE_INCIDENTS) -> Q:
    """Condition on an incident under which the actor may do that action on it."""
    found = list_permitted_products(actor, action)
    return Q() if found is None else Q(product__slug__in=found)


def find_handled_incidents(actor: Actor) -> "QuerySet[Incident]":
    """The open ones that this one may handle, and that nobody else has taken on: the first due on top."""
    free = Q(owner=None) | Q(owner=actor.person)
    proved = structs.replace(actor, second_factor=True)  # to be reminded of it takes none
    return find_open_incidents().filter(free).filter(visible_incident_filter(proved, Action.HANDLE_INCIDENT))[:_SHOWN]
