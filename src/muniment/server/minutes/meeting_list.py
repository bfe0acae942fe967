"""Page of one kind of meeting: those to come, and those that were held with their minutes."""

from typing import NamedTuple

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from muniment.calendars.meetings import MeetingKind
from muniment.server.acts.inputs import Label
from muniment.server.guarding.mediation import current_actor
from muniment.server.meetings.act_fields import visible_meetings
from muniment.server.page_lists import page_by_id

_SHOWN = 200


class MeetingListTexts(NamedTuple):
    """Texts and icon of the page. `address`: name of the address to which a coming meeting leads, by `button`."""

    coming: Label
    none_planned: Label
    none_held: Label
    button: Label
    icon: str
    address: str


def render_meeting_list(
    request: HttpRequest, kind: MeetingKind, template: str, texts: MeetingListTexts
) -> HttpResponse:
    """Show the meetings of a kind that the actor may see. `template` extends `minutes/meeting_list.html`."""
    rows = visible_meetings(current_actor(request)).filter(kind=kind)
    coming = rows.filter(held_on=None, cancelled_at=None).order_by("date", "time", "pk")
    held = rows.exclude(held_on=None).select_related("held_minutes")
    return render(request, template, {"coming": coming[:_SHOWN], "page": page_by_id(request, held), "texts": texts})
