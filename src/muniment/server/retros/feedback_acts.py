"""Act on anonymous feedback: show all answers after the closing."""

from typing import ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.errors import RefusedError
from muniment.server.acts.act import ActContext
from muniment.server.acts.inputs import Label
from muniment.server.meetings.act_fields import MeetingAct
from muniment.server.minutes.taking_part import find_lead
from muniment.server.retros.feedback_rounds import is_feedback_closed, show_answers
from muniment.server.retros.models import FeedbackRound, FeedbackState


class ShowFeedback(MeetingAct, frozen=True):
    """Show all anonymous answers at once, or none if there are too few."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CHAIR_MEETING,)
    title: ClassVar[Label] = gettext_lazy("Show answers")

    def find_resource(self) -> Resource:
        """The person who leads the retro."""
        return Resource(owner=find_lead(self.load_meeting()))

    def describe_act(self) -> str:
        """Sentence about the retro."""
        return _("show all anonymous answers of the retro at once")

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse before the closing, and a round that is not open."""
        if not is_feedback_closed(self.load_meeting()):
            raise RefusedError("feedback-open", _("Feedback is still open."), _("Come back after the closing."))
        if not FeedbackRound.objects.filter(meeting=self.meeting, state=FeedbackState.OPEN).exists():
            raise RefusedError("no-feedback", _("There are no answers to show."), _("Talk in the meeting instead."))

    def carry_out(self, context: ActContext) -> None:
        """Show them. Their key is deleted afterwards."""
        show_answers(self.load_meeting())
