"""Acts on the cards of a retro: add, put together, vote, remove; phases and their timer; the last question."""

from datetime import timedelta
from typing import Annotated, ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.calendars.meetings import MeetingKind
from muniment.errors import RefusedError
from muniment.server.acts.act import ActContext
from muniment.server.acts.inputs import Integer, Label
from muniment.server.meetings.act_fields import MeetingAct
from muniment.server.meetings.joint_meetings import find_led_meetings
from muniment.server.meetings.models import ProductMeeting
from muniment.server.minutes.act_fields import ChairAct
from muniment.server.minutes.models import Minutes
from muniment.server.retros.act_fields import (
    CardNumber,
    CardText,
    OtherCard,
    RetroSeatAct,
    VotedCard,
    choice_of,
)
from muniment.server.retros.closing import add_worth_answer
from muniment.server.retros.joint_boards import find_board_votes, refuse_ended_board, refuse_other_board
from muniment.server.retros.models import (
    VOTES_EACH,
    FinishedPhase,
    Phase,
    RetroBoard,
    RetroCard,
    RetroVote,
    Subject,
    Worth,
    WorthRespondent,
)

_CARD_SUBJECTS = (Subject.FEEDBACK, Subject.THREATS, Subject.PROCESS, Subject.SECURITY)


class AddCard(RetroSeatAct, frozen=True):
    """Add a card under one's own name."""

    actions: ClassVar[tuple[Action, ...]] = (Action.TAKE_PART_IN_MEETING,)
    title: ClassVar[Label] = gettext_lazy("Add card")

    subject: Annotated[Subject, choice_of(Subject, gettext_lazy("Subject"))]
    text: CardText

    def describe_act(self) -> str:
        """Sentence about the subject."""
        return _("add a card to the subject %(subject)s") % {"subject": self.subject.label}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse subjects that have no cards of the team."""
        super().check_preconditions(context)
        if self.subject not in _CARD_SUBJECTS:
            raise RefusedError(
                "no-cards-here", _("This subject takes no cards of the team."), _("Choose another subject.")
            )

    def carry_out(self, context: ActContext) -> None:
        """Add the row with its writer."""
        RetroCard.objects.create(
            meeting=self.load_seat().meeting, subject=self.subject, text=self.text, author_id=context.requester
        )


class WriteDpoFeedback(MeetingAct, frozen=True):
    """Give feedback as the Data Protection Officer, under one's own name."""

    actions: ClassVar[tuple[Action, ...]] = (Action.WRITE_DPO_FEEDBACK,)
    title: ClassVar[Label] = gettext_lazy("Add feedback")

    text: CardText

    def describe_act(self) -> str:
        """Sentence about the retro."""
        return _("give feedback to the retro as the Data Protection Officer")

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a review, and a retro that has ended."""
        meeting = self.load_meeting()
        if meeting.kind != MeetingKind.RETRO or not meeting.is_open:
            raise RefusedError("retro-ended", _("This is no retro to come."), _("Choose the next retro."))

    def carry_out(self, context: ActContext) -> None:
        """Add the card to the board."""
        RetroCard.objects.create(
            meeting_id=self.meeting, subject=Subject.DPO, text=self.text, author_id=context.requester
        )


class CardAct(RetroSeatAct, frozen=True):
    """Base of acts on one card."""

    actions: ClassVar[tuple[Action, ...]] = (Action.TAKE_PART_IN_MEETING,)

    card: CardNumber

    def load_card(self) -> RetroCard:
        """Row of the card."""
        return RetroCard.objects.get(pk=self.card)

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a card of another board."""
        super().check_preconditions(context)
        refuse_other_board(self.load_seat().meeting, self.load_card())


class GroupCards(CardAct, frozen=True):
    """Put two cards together. Each keeps its text."""

    title: ClassVar[Label] = gettext_lazy("Group")

    onto: OtherCard

    def describe_act(self) -> str:
        """Sentence about both cards."""
        return _("put the cards %(card)d and %(onto)d together") % {"card": self.card, "onto": self.onto}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a card with itself."""
        super().check_preconditions(context)
        refuse_other_board(self.load_seat().meeting, RetroCard.objects.get(pk=self.onto))
        if _find_lead_card(self.onto) == _find_lead_card(self.card):
            raise RefusedError("same-group", _("They are together already."), _("Choose another card."))

    def carry_out(self, context: ActContext) -> None:
        """Put the card, and those that were with it, under the other one."""
        lead = _find_lead_card(self.onto)
        RetroCard.objects.filter(group=self.card).update(group=lead)
        RetroCard.objects.filter(pk=self.card).update(group=lead)


class UngroupCard(CardAct, frozen=True):
    """Take a card out of its group."""

    title: ClassVar[Label] = gettext_lazy("Ungroup")

    def describe_act(self) -> str:
        """Sentence about the card."""
        return _("take the card %(card)d out of its group") % {"card": self.card}

    def carry_out(self, context: ActContext) -> None:
        """End its membership in the group."""
        RetroCard.objects.filter(pk=self.card).update(group=None)


class VoteAct(RetroSeatAct, frozen=True):
    """Base of acts on one's own vote. Their records do not say for which card."""

    actions: ClassVar[tuple[Action, ...]] = (Action.TAKE_PART_IN_MEETING,)

    card: VotedCard

    def check_preconditions(self, context: ActContext) -> None:
        """Require that the card is on the board of this retro, and that the vote has not ended."""
        super().check_preconditions(context)
        meeting = self.load_seat().meeting
        refuse_other_board(meeting, RetroCard.objects.get(pk=self.card))
        refuse_ended_board(meeting)


class VoteForCard(VoteAct, frozen=True):
    """Vote for a card."""

    title: ClassVar[Label] = gettext_lazy("Vote")

    def describe_act(self) -> str:
        """Sentence without the card."""
        return _("vote for a card of the retro")

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a second vote for a card, and more votes than each has."""
        super().check_preconditions(context)
        own = find_board_votes(self.load_seat().meeting, context.requester)
        if own.filter(card=self.card).exists():
            raise RefusedError(
                "voted-already", _("You voted for this card."), _("Withdraw the vote, or choose another.")
            )
        if own.count() >= VOTES_EACH:
            raise RefusedError(
                "no-votes-left",
                _("You gave all your %(count)d votes.") % {"count": VOTES_EACH},
                _("Withdraw one first."),
            )

    def carry_out(self, context: ActContext) -> None:
        """Store the vote for the card."""
        RetroVote.objects.create(card_id=self.card, person_id=context.requester)


class WithdrawVote(VoteAct, frozen=True):
    """Withdraw one's vote for a card."""

    title: ClassVar[Label] = gettext_lazy("Withdraw vote")

    def describe_act(self) -> str:
        """Sentence without the card."""
        return _("withdraw the vote for a card of the retro")

    def carry_out(self, context: ActContext) -> None:
        """Delete the vote, if there is one."""
        RetroVote.objects.filter(card=self.card, person=context.requester).delete()


class FinishPhase(RetroSeatAct, frozen=True):
    """Note that one is done with a phase."""

    actions: ClassVar[tuple[Action, ...]] = (Action.TAKE_PART_IN_MEETING,)
    title: ClassVar[Label] = gettext_lazy("I am done")

    phase: Annotated[Phase, choice_of(Phase, gettext_lazy("Phase"))]

    def describe_act(self) -> str:
        """Sentence about the phase."""
        return _("be done with the phase %(phase)s") % {"phase": self.phase.label}

    def carry_out(self, context: ActContext) -> None:
        """Store the note once."""
        FinishedPhase.objects.get_or_create(
            meeting=self.load_seat().meeting, person_id=context.requester, phase=self.phase
        )


class AnswerWorth(RetroSeatAct, frozen=True):
    """Answer the last question, without a name: whether the retro was worth the time."""

    actions: ClassVar[tuple[Action, ...]] = (Action.TAKE_PART_IN_MEETING,)
    title: ClassVar[Label] = gettext_lazy("Answer")

    # not recorded: the ledger would hold it beside the person
    worth: Annotated[Worth, choice_of(Worth, gettext_lazy("Was this worth our time?"), recorded=False)]

    def describe_act(self) -> str:
        """Sentence without the answer."""
        return _("answer whether the retro was worth the time")

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a second answer, of which one is for all products, and one after the main retro has ended."""
        super().check_preconditions(context)
        main = self.load_seat().meeting.find_main()
        if WorthRespondent.objects.filter(meeting=main, person=context.requester).exists():
            raise RefusedError("answered-already", _("You answered already."), _("Nothing is left to do."))
        if Minutes.objects.filter(meeting=main, closed_at__isnull=False).exists():
            raise RefusedError("retro-ended", _("The retro has ended."), _("Bring it up in the next one."))

    def carry_out(self, context: ActContext) -> None:
        """Add the answer to the others, and note that this person gave one."""
        meeting = self.load_seat().meeting.find_main()
        WorthRespondent.objects.create(meeting=meeting, person_id=context.requester)
        add_worth_answer(meeting, self.worth)


class LeadRetroAct(ChairAct, frozen=True):
    """Base of acts of the facilitator of a retro in progress."""

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a meeting that is no retro."""
        super().check_preconditions(context)
        if self.load_meeting().kind != MeetingKind.RETRO:
            raise RefusedError("no-retro", _("This meeting is no retro."), _("Choose a retro."))


class GoToPhase(LeadRetroAct, frozen=True):
    """Go to a phase, forward or back. Nothing is lost."""

    title: ClassVar[Label] = gettext_lazy("Go to phase")

    phase: Annotated[Phase, choice_of(Phase, gettext_lazy("Phase"))]
    minutes: Annotated[int, Integer(label=gettext_lazy("Minutes"), least=0, most=60, recorded=True)] = 0

    def describe_act(self) -> str:
        """Sentence about the phase."""
        return _("go to the phase %(phase)s") % {"phase": self.phase.label}

    def carry_out(self, context: ActContext) -> None:
        """Store the phase, and when its timer ends: none for 0 minutes."""
        ends = timezone.now() + timedelta(minutes=self.minutes) if self.minutes else None
        values = {"phase": self.phase, "timer_ends_at": ends}
        for meeting in find_led_meetings(self.load_meeting(), context.requester):  # those held together go together
            RetroBoard.objects.update_or_create(meeting=meeting, defaults=values)


class RemoveCard(LeadRetroAct, frozen=True):
    """Remove a card that attacks a person. Everybody sees that one was removed."""

    title: ClassVar[Label] = gettext_lazy("Remove card")

    card: CardNumber

    def describe_act(self) -> str:
        """Sentence about the card."""
        return _("remove the card %(card)d, because it attacks a person") % {"card": self.card}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a card of another retro, unless both are held together and led by the same person."""
        super().check_preconditions(context)
        led = find_led_meetings(self.load_meeting(), context.requester)
        if not RetroCard.objects.filter(pk=self.card, meeting__in=led).exists():
            raise RefusedError("other-retro", _("It belongs to another retro."), _("Open its page again."))

    def carry_out(self, context: ActContext) -> None:
        """Delete its text and its votes' effect; the row stays, so that the removal shows."""
        RetroCard.objects.filter(group=self.card).update(group=None)
        RetroCard.objects.filter(pk=self.card).update(removed_at=timezone.now(), text="", group=None)


def _find_lead_card(card: int) -> int:
    """Number of the card under which a card stands: its own if it is in no group."""
    return RetroCard.objects.filter(pk=card).values_list("group", flat=True).first() or card


def find_phase(meeting: ProductMeeting) -> Phase:
    """Phase that everybody sees."""
    found = RetroBoard.objects.filter(meeting=meeting).values_list("phase", flat=True).first()
    return Phase(found) if found else Phase.FOLLOW_UP
