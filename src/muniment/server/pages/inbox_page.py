"""Inbox of a person: what waits for them, their own requests, and the messages to them."""

from typing import Any, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.server.acts.submission import submit_act
from muniment.server.guarding.mediation import current_actor, find_own_resource, require_action
from muniment.server.page_lists import page_by_id
from muniment.server.people.actors import signed_in_person
from muniment.server.people.models import Message
from muniment.server.people.own_account_acts import ChangeMailFrequency
from muniment.server.registration import InboxKind, read_contributions
from muniment.server.requests.inbox import list_own_requests

_OWN = 8  # newest requests of one's own


class InboxGroup(NamedTuple):
    """Things of one kind that wait for a person."""

    kind: InboxKind
    rows: list[Any]


def list_waiting_groups(actor: Actor) -> list[InboxGroup]:
    """List what waits for a person, by kind, without kinds of which nothing does."""
    kinds = sorted((kind for app in read_contributions() for kind in app.inbox), key=lambda kind: kind.position)
    found = [InboxGroup(kind, list(kind.find(actor))) for kind in kinds]
    return [group for group in found if group.rows]


@require_http_methods(["GET", "POST"])
@require_action(Action.MANAGE_OWN_ACCOUNT, find_own_resource)
def show_inbox(request: HttpRequest) -> HttpResponse:
    """Show what waits for the person, and how often messages are mailed. Shown messages count as read."""
    person, actor = signed_in_person(request), current_actor(request)
    if request.method == "POST":
        return submit_act(request, ChangeMailFrequency, {"person": person.slug}, _("Saved."), "inbox")
    found = page_by_id(request, Message.objects.filter(person=person), size=10)
    context = {
        "groups": list_waiting_groups(actor),
        "own_requests": list_own_requests(actor, _OWN),
        "page": found,
        "frequency": person.mail_frequency,
    }
    answer = render(request, "people/inbox.html", context)
    Message.objects.filter(pk__in=[row.pk for row in found.rows], read_at=None).update(read_at=timezone.now())
    return answer
