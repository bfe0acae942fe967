"""Visibility of incidents: the filter of lists of those that a person may see or handle."""

from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet
from msgspec import structs

from muniment.access.actions import Action
from muniment.access.authorization import Actor, list_permitted_products
from muniment.server.incidents.models import find_open_incidents
from muniment.server.remembered_sql import remember_sql

_SHOWN = 20


def visible_incident_filter(actor: Actor, action: Action = Action.SEE_INCIDENTS) -> Q:
    """Condition on an incident under which the actor may do that action on it."""
    found = list_permitted_products(actor, action)
    return Q() if found is None else Q(product__slug__in=found)


class HandledIncident(NamedTuple):
    """Open incident as an inbox shows it: with the names of its product and owner, None where it has none."""

    pk: int
    summary: str
    due_at: datetime
    product: str | None
    owner: str | None


def find_handled_incidents(actor: Actor) -> list[HandledIncident]:
    """The open ones that this one may handle, and that nobody else has taken on: the first due on top."""
    proved = structs.replace(actor, second_factor=True)  # to be reminded of it takes none
    products = list_permitted_products(proved, Action.HANDLE_INCIDENT)
    return [HandledIncident(*row) for row in _read_free_incidents(products, actor.person)]


@remember_sql
def _read_free_incidents(products: frozenset[str] | None, person: str) -> "QuerySet[Any, tuple[Any, ...]]":
    rows = find_open_incidents().filter(Q(owner=None) | Q(owner=person))
    if products is not None:
        rows = rows.filter(product__slug__in=products)
    return rows.values_list("pk", "summary", "due_at", "product__name", "owner__name")[:_SHOWN]
