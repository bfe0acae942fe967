"""The frame of every page: the menu for the person who looks, and how many messages they have not read."""

import functools
from typing import Any, NamedTuple

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.access.authorize import Why, somewhere
from muniment.server.guarding.mediation import acting
from muniment.server.people.actors import me
from muniment.server.people.models import Message, Person
from muniment.server.records.entering import code
from muniment.server.requests.models import Request


class Place(NamedTuple):
    """One entry of the menu."""

    name: str
    text: Any
    action: Action


MENU = (
    Place("products", _("Products"), Action.SEE_PRODUCT),
    Place("exceptions", _("Exceptions"), Action.SEE_EXCEPTIONS),
    Place("incidents", _("Incidents"), Action.SEE_INCIDENTS),
    Place("policy", _("Policy"), Action.SEE_POLICY),
    Place("people", _("People"), Action.SEE_PEOPLE),
    Place("connections", _("Connections"), Action.SEE_CONNECTIONS),
    Place("activity", _("Activity"), Action.SEE_ACTIVITY),
    Place("ledger", _("Ledger"), Action.SEE_LEDGER),
    Place("work", _("Work"), Action.SEE_JOBS),
    Place("settings", _("Settings"), Action.CHANGE_SETTINGS),
)


def common(request: HttpRequest) -> dict[str, Any]:
    """For the frame of every page."""
    if not hasattr(request, "actor") or not acting(request).person:
        return {"menu": ()}
    menu = tuple(place for place in MENU if somewhere(acting(request), place.action) is Why.YES)
    waits = functools.partial(_waits_for_role, me(request))  # asked by the pages that refuse, and by no other
    return {
        "menu": menu,
        "waits_for_role": waits,
        "unread": Message.objects.filter(person=me(request), read_at=None).count(),
    }


def _waits_for_role(person: Person) -> bool:
    """Whether a role for somebody waits for its second person."""
    granting = (code(Action.GRANT_ROLE), code(Action.GRANT_CHANGING_ROLE))
    rows = Request.objects.filter(state=Request.State.WAITING, action__in=granting)
    return rows.filter(subject__in=(f"person:{person.slug}", f"person:{person.pk}")).exists()
