"""Frame of every page: the menu for the person, and the number of their unread messages."""

import functools
from typing import Any

from django.http import HttpRequest

from muniment.access.actions import Action
from muniment.access.authorization import AccessResult, authorize_anywhere
from muniment.server.guarding.mediation import current_actor
from muniment.server.people.actors import signed_in_person
from muniment.server.people.models import Message, Person
from muniment.server.records.record_writing import action_code
from muniment.server.registration import read_contributions
from muniment.server.requests.models import Request


def frame_context(request: HttpRequest) -> dict[str, Any]:
    """Template context of the frame of every page."""
    if not hasattr(request, "actor") or not current_actor(request).person:
        return {"menu": ()}
    entries = sorted((entry for app in read_contributions() for entry in app.menu), key=lambda one: one.position)
    menu = tuple(
        entry for entry in entries if authorize_anywhere(current_actor(request), entry.action) is AccessResult.YES
    )
    waits = functools.partial(
        _waits_for_role, signed_in_person(request)
    )  # asked by the pages that refuse, and by no other
    return {
        "menu": menu,
        "waits_for_role": waits,
        "unread": Message.objects.filter(person=signed_in_person(request), read_at=None).count(),
    }


def _waits_for_role(person: Person) -> bool:
    """Whether a role for this person waits for its second person."""
    granting = (action_code(Action.GRANT_ROLE), action_code(Action.GRANT_CHANGING_ROLE))
    rows = Request.objects.filter(state=Request.State.WAITING, action__in=granting)
    return rows.filter(subject__in=(f"person:{person.slug}", f"person:{person.pk}")).exists()
