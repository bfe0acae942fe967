"""Act of somebody who takes part in a review: the result of looking at a change of the sample."""

from typing import Annotated, ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Actor
from muniment.errors import RefusedError
from muniment.server.acts.act import ActContext
from muniment.server.acts.fields import number_input
from muniment.server.acts.inputs import Flag, Label, Text
from muniment.server.connections.models import BranchUpdate
from muniment.server.meetings.act_fields import SeatAct
from muniment.server.meetings.seat_acts import refuse_ended_meeting
from muniment.server.products.visible_products import within_reach
from muniment.server.reviews.models import ChangeSample, SampleLook
from muniment.server.reviews.sample_contributors import find_contributors


def _visible_updates(actor: Actor) -> "QuerySet[BranchUpdate]":
    return BranchUpdate.objects.filter(within_reach(actor, Action.SEE_CHANGE, "repository__product"))


class LookAtSample(SeatAct, frozen=True):
    """Record the result of looking at a change of the sample, with the code review guide."""

    actions: ClassVar[tuple[Action, ...]] = (Action.TAKE_PART_IN_MEETING,)
    title: ClassVar[Label] = gettext_lazy("Record result")

    update: Annotated[
        int,
        number_input(
            label=gettext_lazy("Change"),
            rows=_visible_updates,
            missing=gettext_lazy("There is no such change."),
            remedy=gettext_lazy("Choose one that the page of the sample shows."),
            recorded=True,
        ),
    ]
    sound: Annotated[bool, Flag(label=gettext_lazy("As the guide asks"), ask=True, recorded=True)]
    note: Annotated[str, Text(label=gettext_lazy("What did you find?"), most=2000, multiline=True)] = ""

    def describe_act(self) -> str:
        """Sentence about the change."""
        return _("record the result of looking at the change %(number)d") % {"number": self.update}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse changes out of the sample, one's own, and a defect without a note."""
        seat = self.load_seat()
        refuse_ended_meeting(seat)
        sample = ChangeSample.objects.filter(meeting=seat.meeting).first()
        if sample is None or self.update not in sample.drawn:
            raise RefusedError(
                "not-in-sample", _("The sample has no such change."), _("Choose one that the page of the sample shows.")
            )
        update = BranchUpdate.objects.select_related("decision").get(pk=self.update)
        contributors = find_contributors(update)
        if contributors is None or context.requester in contributors:
            raise RefusedError(
                "own-change",
                _("You contributed to this change, or it is unknown who did."),
                _("Ask somebody else who takes part to look at it."),
            )
        if not self.sound and not self.note:
            raise RefusedError("no-note", _("A defect needs a sentence."), _("Write what you found."))

    def carry_out(self, context: ActContext) -> None:
        """Store the newest result."""
        sample = ChangeSample.objects.get(meeting=self.load_seat().meeting_id)
        values = {
            "person_id": context.requester,
            "is_sound": self.sound,
            "note": self.note,
            "looked_at": timezone.now(),
        }
        SampleLook.objects.update_or_create(sample=sample, update_id=self.update, defaults=values)
