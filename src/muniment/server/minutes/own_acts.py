"""Acts of somebody who takes part: advice, dissent, signature, objection; and of the owner of an action."""

from datetime import date
from typing import Annotated, ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.errors import RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import Choice, Day, Flag, Label, Text
from muniment.server.meetings.act_fields import SeatAct
from muniment.server.meetings.mail_languages import notify_in_own_language
from muniment.server.meetings.models import MeetingRole
from muniment.server.meetings.seat_acts import refuse_conflicting_roles
from muniment.server.minutes.act_fields import ENTRY_LENGTH, ActionAct, AdviceNumber, EntryText, ItemCode
from muniment.server.minutes.guarded_minutes import read_confirmed_minutes
from muniment.server.minutes.models import (
    EntryKind,
    Minutes,
    MinutesComment,
    MinutesEntry,
    MinutesSignature,
    Statement,
)
from muniment.server.minutes.passkey_signatures import find_proof
from muniment.server.minutes.taking_part import find_objection_end, list_signers
from muniment.server.people.models import Person


class EntryAct(SeatAct, frozen=True):
    """Base of acts by which somebody writes their own words into the minutes."""

    actions: ClassVar[tuple[Action, ...]] = (Action.TAKE_PART_IN_MEETING,)
    kind: ClassVar[EntryKind]

    item: ItemCode
    text: EntryText

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse minutes that are frozen."""
        meeting = self.load_seat().meeting
        minutes = Minutes.objects.filter(meeting=meeting).first()
        if not meeting.is_open or (minutes is not None and minutes.is_closed):
            raise RefusedError("minutes-closed", _("The meeting has ended."), _("Object to the minutes instead."))

    def carry_out(self, context: ActContext) -> None:
        """Add the entry, exactly as it was written."""
        MinutesEntry.objects.create(
            meeting=self.load_seat().meeting,
            item=self.item,
            kind=self.kind,
            text=self.text,
            author_id=context.requester,
        )


class WriteAdvice(EntryAct, frozen=True):
    """Write advice, before or in the meeting. Only the Data Protection Officer or a deputy can."""

    title: ClassVar[Label] = gettext_lazy("Add advice")
    kind: ClassVar[EntryKind] = EntryKind.ADVICE

    def describe_act(self) -> str:
        """Sentence about the item."""
        return _("write advice on the item %(item)s") % {"item": self.item}

    def check_preconditions(self, context: ActContext) -> None:
        """Require the seat of the Data Protection Officer."""
        super().check_preconditions(context)
        if self.load_seat().role != MeetingRole.DPO:
            raise RefusedError(
                "not-dpo",
                _("Only the Data Protection Officer or a deputy writes advice."),
                _("Ask the chair to record a decision, or record your dissent."),
            )


class RecordDissent(EntryAct, frozen=True):
    """Record that one disagrees. It is kept as written."""

    title: ClassVar[Label] = gettext_lazy("Record dissent")
    kind: ClassVar[EntryKind] = EntryKind.DISSENT

    def describe_act(self) -> str:
        """Sentence about the item."""
        return _("record dissent on the item %(item)s") % {"item": self.item}


class SignMinutes(SeatAct, frozen=True):
    """Confirm the minutes: with the signature of one's passkey if there is one, else by a sign-in with a second
    factor.
    """

    actions: ClassVar[tuple[Action, ...]] = (Action.SIGN_MINUTES,)
    title: ClassVar[Label] = gettext_lazy("Confirm minutes")

    statement: Annotated[
        Statement,
        Choice(
            label=gettext_lazy("Statement"), options=Statement, labels=lambda one: Statement(one).label, recorded=True
        ),
    ]
    digest: Annotated[
        str,
        Text(
            label=gettext_lazy("Fingerprint"),
            most=71,
            pattern="sha256:[0-9a-f]{64}",
            form=gettext_lazy("Send the fingerprint that the page of the minutes shows."),
            recorded=True,
        ),
    ]

    def describe_act(self) -> str:
        """Sentence about the minutes."""
        return _("confirm the minutes with the fingerprint %(digest)s") % {"digest": self.digest}

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """Frozen minutes, and what each person confirmed."""
        return read_confirmed_minutes()

    def find_minutes(self) -> Minutes | None:
        """Minutes of the meeting of the seat; None before it was opened."""
        return Minutes.objects.select_related("meeting").filter(meeting=self.load_seat().meeting_id).first()

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse minutes that are open or others than were read, a wrong statement, and people who do not sign."""
        context.refuse_token()
        seat, minutes = self.load_seat(), self.find_minutes()
        if minutes is None or not minutes.is_closed:
            raise RefusedError("not-closed", _("The meeting has not ended."), _("Come back when it has."))
        if self.digest != minutes.digest:
            raise RefusedError(
                "other-minutes",
                _("This fingerprint is that of other minutes."),
                _("Open the page of the minutes again."),
            )
        if (seat.role == MeetingRole.DPO) == (self.statement is Statement.CONFIRMED):
            raise RefusedError(
                "wrong-statement",
                _("This statement is not the one of your role."),
                _("Choose one that the page of the minutes offers."),
            )
        refuse_conflicting_roles(MeetingRole(seat.role), seat.person, seat.meeting.product)
        signer = next((each for each in list_signers(minutes) if each.seat.pk == seat.pk), None)
        if signer is None:
            raise RefusedError(
                "no-signer", _("Your signature is not needed."), _("You can object until the day it names.")
            )
        if signer.signature is not None:
            raise RefusedError("signed-already", _("You confirmed them already."), _("Nothing is left to do."))

    def carry_out(self, context: ActContext) -> None:
        """Store the signature over the fingerprint."""
        seat = self.load_seat()
        minutes = Minutes.objects.get(meeting=seat.meeting_id)
        MinutesSignature.objects.create(
            minutes=minutes,
            proof=find_proof(minutes, seat, self.statement),
            person=seat.person,
            role=seat.role,
            statement=self.statement,
            digest=self.digest,
        )


class ObjectToMinutes(SeatAct, frozen=True):
    """Object to minutes, within five working days."""

    actions: ClassVar[tuple[Action, ...]] = (Action.TAKE_PART_IN_MEETING,)
    title: ClassVar[Label] = gettext_lazy("Object")

    text: EntryText

    def describe_act(self) -> str:
        """Sentence about the minutes."""
        return _("object to the minutes")

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse minutes that are open, and a day after the last one for objections."""
        minutes = Minutes.objects.filter(meeting=self.load_seat().meeting_id).first()
        last = find_objection_end(minutes) if minutes is not None else None
        if last is None:
            raise RefusedError("not-closed", _("The meeting has not ended."), _("Record your dissent instead."))
        if timezone.localdate() > last:
            raise RefusedError(
                "too-late",
                _("The last day for objections was %(day)s.") % {"day": last.isoformat()},
                _("Ask the chair to add a correction."),
            )

    def carry_out(self, context: ActContext) -> None:
        """Add the objection to the minutes."""
        minutes = Minutes.objects.get(meeting=self.load_seat().meeting_id)
        MinutesComment.objects.create(minutes=minutes, person_id=context.requester, is_objection=True, text=self.text)


class FinishAction(ActionAct, frozen=True):
    """Note that an action is done."""

    title: ClassVar[Label] = gettext_lazy("Action done")

    note: Annotated[
        str,
        Text(label=gettext_lazy("Result"), hint=gettext_lazy("For example, what was measured."), most=500),
    ] = ""

    def describe_act(self) -> str:
        """Sentence about the action."""
        return _("note that the action %(number)d is done") % {"number": self.action}

    def carry_out(self, context: ActContext) -> None:
        """Store the day and the result."""
        MinutesEntry.objects.filter(pk=self.action).update(done_on=timezone.localdate(), note=self.note)


class MoveAction(ActionAct, frozen=True):
    """Move the due date of an action, with a reason that the next meeting shows."""

    title: ClassVar[Label] = gettext_lazy("Move action")

    due: Annotated[date, Day(label=gettext_lazy("New day"), recorded=True)]
    reason: Annotated[str, Text(label=gettext_lazy("Reason"), most=500)]

    def describe_act(self) -> str:
        """Sentence that names the day."""
        return _("move the action %(number)d to %(day)s") % {"number": self.action, "day": self.due.isoformat()}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse an action that is done, and a day that is over."""
        super().check_preconditions(context)
        if self.due < timezone.localdate():
            raise RefusedError("day-over", _("This day is over already."), _("Choose today or a later day."))

    def carry_out(self, context: ActContext) -> None:
        """Store the day and the reason."""
        MinutesEntry.objects.filter(pk=self.action).update(due_on=self.due, note=self.reason)


class AnswerAdvice(Act, frozen=True):
    """Answer advice of the Data Protection Officer as the owner of the product. Not following it needs a reason."""

    actions: ClassVar[tuple[Action, ...]] = (Action.ANSWER_ADVICE,)
    title: ClassVar[Label] = gettext_lazy("Answer advice")

    advice: AdviceNumber
    followed: Annotated[bool, Flag(label=gettext_lazy("Followed"), ask=True, recorded=True)]
    reason: Annotated[str, Text(label=gettext_lazy("Reason"), most=ENTRY_LENGTH, multiline=True)] = ""

    def load_advice(self) -> MinutesEntry:
        """Row of the advice, with its meeting and product."""
        return MinutesEntry.objects.select_related("meeting__product", "author").get(pk=self.advice)

    def find_resource(self) -> Resource:
        return self.load_advice().meeting.product_resource

    def format_subject(self) -> str:
        return f"meeting-advice:{self.advice}"

    def describe_act(self) -> str:
        """Sentence about the advice."""
        return _("answer the advice %(number)d") % {"number": self.advice}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse advice that was answered, and a refusal without a reason."""
        if self.load_advice().is_followed is not None:
            raise RefusedError("advice-answered", _("It was answered already."), _("Nothing is left to do."))
        if not self.followed and not self.reason:
            raise RefusedError(
                "no-reason", _("Advice that is not followed needs a reason."), _("Write why it is not followed.")
            )

    def carry_out(self, context: ActContext) -> None:
        """Store the answer, and tell who gave the advice."""
        row = self.load_advice()
        MinutesEntry.objects.filter(pk=self.advice).update(is_followed=self.followed, note=self.reason)
        details = {"product": row.meeting.product.name, "reason": self.reason}

        def format_answer() -> str:
            if self.followed:
                return (_("Your advice on %(product)s is followed. %(reason)s") % details).strip()
            return _("Your advice on %(product)s is not followed. %(reason)s") % details

        author = Person.objects.filter(pk=row.author_id)
        notify_in_own_language(author, format_answer, f"/meetings/{row.meeting_id}/minutes")
