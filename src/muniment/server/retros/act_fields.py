"""Fields and bases of acts in retros."""

from datetime import date
from enum import Enum
from typing import Annotated, Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.authorization import Actor
from muniment.access.roles import Role
from muniment.calendars.meetings import MeetingKind
from muniment.errors import RefusedError
from muniment.server.acts.act import ActContext
from muniment.server.acts.fields import number_input
from muniment.server.acts.inputs import Choice, Day, Label, Reference, Text
from muniment.server.meetings.act_fields import SeatAct, visible_meetings
from muniment.server.minutes.models import Minutes
from muniment.server.people.models import Person, RoleGrant, build_in_force_condition
from muniment.server.retros.models import Improvement, RetroCard, RetroThreat

MOST_CARD = 1000


def choice_of(options: type[Enum], label: Label, *, recorded: bool = True) -> Choice:
    """Input of one of the options, each shown by its label."""
    return Choice(label=label, options=options, labels=lambda one: one.label, recorded=recorded)


def visible_improvements(actor: Actor) -> "QuerySet[Improvement]":
    """Improvements of the products that a person may see."""
    return Improvement.objects.filter(meeting__in=visible_meetings(actor))


def _visible_cards(actor: Actor) -> "QuerySet[RetroCard]":
    return RetroCard.objects.filter(meeting__in=visible_meetings(actor), removed_at=None)


def _visible_threats(actor: Actor) -> "QuerySet[RetroThreat]":
    return RetroThreat.objects.filter(meeting__in=visible_meetings(actor))


def _make_number_input(label: Label, rows: Any, missing: Label, *, recorded: bool = True) -> Reference:
    remedy = gettext_lazy("Open the page of the retro again.")
    return number_input(label=label, rows=rows, missing=missing, remedy=remedy, recorded=recorded)


_NO_CARD = gettext_lazy("There is no such card.")
CardNumber = Annotated[int, _make_number_input(gettext_lazy("Card"), _visible_cards, _NO_CARD)]
VotedCard = Annotated[  # not recorded: the ledger would hold the vote with the person, for ever
    int, _make_number_input(gettext_lazy("Card"), _visible_cards, _NO_CARD, recorded=False)
]
OtherCard = Annotated[int, _make_number_input(gettext_lazy("Put together with"), _visible_cards, _NO_CARD)]
ThreatNumber = Annotated[
    int, _make_number_input(gettext_lazy("Threat"), _visible_threats, gettext_lazy("There is no such threat."))
]
_NO_IMPROVEMENT = gettext_lazy("There is no such improvement.")
ImprovementNumber = Annotated[
    int, _make_number_input(gettext_lazy("Improvement"), visible_improvements, _NO_IMPROVEMENT)
]
EarlierImprovement = Annotated[
    int | None, _make_number_input(gettext_lazy("After"), visible_improvements, _NO_IMPROVEMENT)
]
CardText = Annotated[str, Text(label=gettext_lazy("Text"), most=MOST_CARD, multiline=True)]
ShortFigure = Annotated[str, Text(label=gettext_lazy("Figure"), most=60)]
RequiredDay = Annotated[date, Day(label=gettext_lazy("Day"), recorded=True)]


class RetroSeatAct(SeatAct, frozen=True):
    """Base of acts of somebody who takes part in a retro."""

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse other meetings, and a retro that has ended."""
        meeting = self.load_seat().meeting
        if meeting.kind != MeetingKind.RETRO:
            raise RefusedError("no-retro", _("This meeting is no retro."), _("Choose a retro."))
        minutes = Minutes.objects.filter(meeting=meeting).first()
        if not meeting.is_open or (minutes is not None and minutes.is_closed):
            raise RefusedError("retro-ended", _("The retro has ended."), _("Bring it up in the next one."))

    def refuse_other_meeting(self, row: RetroCard | Improvement) -> None:
        """Refuse a card or an improvement of another retro."""
        if row.meeting_id != self.load_seat().meeting_id:
            raise RefusedError("other-retro", _("It belongs to another retro."), _("Open its page again."))


def refuse_owner(person_id: str) -> None:
    """Refuse people who left, and the Data Protection Officer, who owns no risk."""
    person = Person.objects.get(pk=person_id)
    if not person.active:
        raise RefusedError("person-left", _("%(name)s has left.") % {"name": person.name}, _("Choose someone else."))
    if RoleGrant.objects.filter(build_in_force_condition(), person=person, role=Role.DPO.value).exists():
        raise RefusedError(
            "dpo-owns-nothing",
            _("The Data Protection Officer advises, and owns no risk."),
            _("Choose another person."),
        )
