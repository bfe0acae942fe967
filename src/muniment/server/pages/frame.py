"""The frame of every page: the menu for the person who looks, and how many messages they have not read."""

import functools
from typing import Any

from django.http import HttpRequest

from muniment.access.actions import Action
from muniment.access.authorize import Why, somewhere
from muniment.server.guarding.mediation import acting
from muniment.server.people.actors import me
from muniment.server.people.models import Message, Person
from muniment.server.records.entering import code
from muniment.server.registration import read_contributions
from muniment.server.requests.models import Request


def common(request: HttpRequest) -> dict[str, Any]:
    """For the frame of every page."""
    if not hasattr(request, "actor") or not acting(request).person:
        return {"menu": ()}
    entries = sorted((entry for app in read_contributions() for entry in app.menu), key=lambda one: one.position)
    menu = tuple(entry for entry in entries if somewhere(acting(request), entry.action) is Why.YES)
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
