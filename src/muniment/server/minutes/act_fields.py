"""Fields and bases of acts on minutes: those of the chair, of somebody who takes part, and on one entry."""

from typing import Annotated, ClassVar

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Actor, Resource
from muniment.errors import RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import number_input
from muniment.server.acts.inputs import Text
from muniment.server.meetings.act_fields import MeetingAct, visible_meetings
from muniment.server.minutes.models import EntryKind, Minutes, MinutesEntry
from muniment.server.minutes.taking_part import find_lead

ENTRY_LENGTH = 4000
EntryText = Annotated[str, Text(label=gettext_lazy("Text"), most=ENTRY_LENGTH, multiline=True)]
ItemCode = Annotated[
    str,
    Text(
        label=gettext_lazy("Item"),
        most=32,
        pattern="[a-z][a-z-]{0,31}",
        form=gettext_lazy("Write the code of an item of the agenda."),
        recorded=True,
    ),
]


def _visible_entries(actor: Actor) -> "QuerySet[MinutesEntry]":
    return MinutesEntry.objects.filter(meeting__in=visible_meetings(actor))


ActionNumber = Annotated[
    int,
    number_input(
        label=gettext_lazy("Action"),
        rows=lambda actor: _visible_entries(actor).filter(kind=EntryKind.ACTION),
        missing=gettext_lazy("There is no such action."),
        remedy=gettext_lazy("Choose one that the page Actions shows."),
        recorded=True,
    ),
]
AdviceNumber = Annotated[
    int,
    number_input(
        label=gettext_lazy("Advice"),
        rows=lambda actor: _visible_entries(actor).filter(kind=EntryKind.ADVICE),
        missing=gettext_lazy("There is no such advice."),
        remedy=gettext_lazy("Open the page of the meeting again."),
        recorded=True,
    ),
]


class ChairAct(MeetingAct, frozen=True):
    """Base of acts of the person who leads a meeting."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CHAIR_MEETING,)

    def find_resource(self) -> Resource:
        """The person who leads it."""
        return Resource(owner=find_lead(self.load_meeting()))

    def find_minutes(self) -> Minutes | None:
        """Minutes of the meeting; None before it is opened."""
        return Minutes.objects.filter(meeting=self.meeting).first()

    def check_preconditions(self, context: ActContext) -> None:
        """Require that the meeting is in progress."""
        minutes = self.find_minutes()
        if minutes is None:
            raise RefusedError("not-opened", _("The meeting is not opened yet."), _("Open it first."))
        if minutes.is_closed:
            raise RefusedError(
                "minutes-closed", _("The meeting has ended."), _("Add a correction to its minutes instead.")
            )


class ActionAct(Act, frozen=True):
    """Base of acts of the owner of an action on it."""

    actions: ClassVar[tuple[Action, ...]] = (Action.TAKE_PART_IN_MEETING,)

    action: ActionNumber

    def load_action(self) -> MinutesEntry:
        """Row of the action, with its meeting."""
        return MinutesEntry.objects.select_related("meeting__product").get(pk=self.action)

    def find_resource(self) -> Resource:
        """The person who owns the action."""
        return Resource(owner=self.load_action().owner_id or "")

    def format_subject(self) -> str:
        return f"meeting-action:{self.action}"

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse an action that is done."""
        if self.load_action().done_on is not None:
            raise RefusedError("action-done", _("The action is done already."), _("Nothing is left to do."))


def find_entry_resource(entry: MinutesEntry) -> Resource:
    """Product of the meeting of an entry, which has to be loaded."""
    return entry.meeting.product_resource
