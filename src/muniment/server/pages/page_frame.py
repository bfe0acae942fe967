"""Frame of every page: the menu for the person, and the number of their unread messages."""

import functools
from typing import Any, NamedTuple

from django.http import HttpRequest
from django.urls import reverse

from muniment.access.actions import Action
from muniment.access.authorization import AccessResult, Actor, authorize_anywhere
from muniment.server.guarding.mediation import current_actor
from muniment.server.pages.own_account import APPEARANCE_COOKIE, APPEARANCES
from muniment.server.people.actors import signed_in_person
from muniment.server.people.models import Message, Person
from muniment.server.records.record_writing import action_code
from muniment.server.registration import MenuGroup, read_contributions
from muniment.server.requests.models import Request


class ShownEntry(NamedTuple):
    """Entry of the menu as a page shows it."""

    address: str
    text: Any  # lazily translated
    icon: str


class ShownGroup(NamedTuple):
    """Group of the menu that has at least one entry for the person."""

    text: Any  # lazily translated
    entries: tuple[ShownEntry, ...]


def frame_context(request: HttpRequest) -> dict[str, Any]:
    """Template context of the frame of every page."""
    appearance = request.COOKIES.get(APPEARANCE_COOKIE, "")
    look = {"appearance": appearance if appearance in APPEARANCES else ""}
    if not hasattr(request, "actor") or not current_actor(request).person:
        return {"menu": (), **look}
    waits = functools.partial(
        _waits_for_role, signed_in_person(request)
    )  # asked by the pages that refuse, and by no other
    return {
        **look,
        "menu": _build_menu(current_actor(request)),
        "waits_for_role": waits,
        "unread": Message.objects.filter(person=signed_in_person(request), read_at=None).count(),
    }


def _build_menu(actor: Actor) -> tuple[ShownGroup, ...]:
    """Groups of the menu with the entries that the access table lets the person read."""
    entries = sorted((entry for app in read_contributions() for entry in app.menu), key=lambda entry: entry.position)
    visible = [entry for entry in entries if authorize_anywhere(actor, entry.action) is AccessResult.YES]
    groups = (
        ShownGroup(
            group.value,
            tuple(ShownEntry(reverse(entry.name), entry.text, entry.icon) for entry in visible if entry.group is group),
        )
        for group in MenuGroup
    )
    return tuple(group for group in groups if group.entries)


def _waits_for_role(person: Person) -> bool:
    """Whether a role for this person waits for its second person."""
    granting = (action_code(Action.GRANT_ROLE), action_code(Action.GRANT_CHANGING_ROLE))
    rows = Request.objects.filter(state=Request.State.WAITING, action__in=granting)
    return rows.filter(subject__in=(f"person:{person.slug}", f"person:{person.pk}")).exists()
