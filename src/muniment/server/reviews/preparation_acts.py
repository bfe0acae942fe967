"""Acts by which people prepare a review: the owner describes personal data, stakeholders give their opinion."""

from typing import Annotated, ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.errors import RefusedError
from muniment.server.acts.act import ActContext
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import Answers, Label, Text
from muniment.server.meetings.act_fields import SeatAct
from muniment.server.meetings.seat_acts import refuse_ended_meeting
from muniment.server.products.act_fields import ProductAct
from muniment.server.reviews.models import OPINION_QUESTIONS, OpinionDraft, PersonalDataField, UsabilityOpinion

_FieldName = Annotated[str, Text(label=gettext_lazy("What data?"), most=200)]


class DescribePersonalData(ProductAct, frozen=True):
    """Describe a kind of personal data of a product. A new description takes the place of the former one."""

    actions: ClassVar[tuple[Action, ...]] = (Action.DESCRIBE_PERSONAL_DATA,)
    title: ClassVar[Label] = gettext_lazy("Describe personal data")

    name: _FieldName
    purpose: Annotated[str, Text(label=gettext_lazy("Why do we have it?"), most=1000, multiline=True)]
    place: Annotated[str, Text(label=gettext_lazy("Where is it stored?"), most=300)]
    period: Annotated[str, Text(label=gettext_lazy("How long is it kept?"), most=300)]
    recipients: Annotated[str, Text(label=gettext_lazy("Who can see it?"), most=300)]

    def describe_act(self) -> str:
        """Sentence that names the product."""
        return _("describe personal data of %(product)s") % {"product": self.product}

    def carry_out(self, context: ActContext) -> None:
        """End the former description, and add this one."""
        product = self.find_product_row()
        rows = PersonalDataField.objects.filter(product=product, name=self.name, ended_at=None)
        rows.update(ended_at=timezone.now())
        PersonalDataField.objects.create(
            product=product,
            name=self.name,
            purpose=self.purpose,
            place=self.place,
            period=self.period,
            recipients=self.recipients,
            described_by_id=context.requester,
        )


class EndPersonalData(ProductAct, frozen=True):
    """Note that a product no longer holds a kind of personal data."""

    actions: ClassVar[tuple[Action, ...]] = (Action.DESCRIBE_PERSONAL_DATA,)
    title: ClassVar[Label] = gettext_lazy("No longer stored")

    name: _FieldName

    def describe_act(self) -> str:
        """Sentence that names the product."""
        return _("note that %(product)s no longer holds a kind of personal data") % {"product": self.product}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse data that the product does not have."""
        if not PersonalDataField.objects.filter(product__slug=self.product, name=self.name, ended_at=None).exists():
            raise RefusedError("no-such-data", _("The product does not describe such data."), _("Open the page again."))

    def carry_out(self, context: ActContext) -> None:
        """End the description in force."""
        rows = PersonalDataField.objects.filter(product__slug=self.product, name=self.name, ended_at=None)
        rows.update(ended_at=timezone.now())


class GiveOpinion(SeatAct, frozen=True):
    """Answer three questions about how easy the product's security is to use. They are shown as an opinion."""

    actions: ClassVar[tuple[Action, ...]] = (Action.TAKE_PART_IN_MEETING,)
    title: ClassVar[Label] = gettext_lazy("Save answers")

    answers: Annotated[
        dict[str, str], Answers(label=gettext_lazy("Answers"), questions=OPINION_QUESTIONS, most=2000)
    ] = {}

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """Opinions in meetings whose agenda is frozen: nobody adds one, or rewords another's. Old ones are deleted."""
        rows = UsabilityOpinion.objects.filter(meeting__held_minutes__isnull=False).select_related("meeting__product")
        return GuardedFacts(
            permitted=frozenset((row.meeting.lasting_key, row.person_id, row.question, row.text) for row in rows)
        )

    def describe_act(self) -> str:
        """Sentence about the product."""
        return _("say how easy the security of the product is to use")

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a meeting that was held, or whose agenda is frozen."""
        seat = self.load_seat()
        refuse_ended_meeting(seat)
        if hasattr(seat.meeting, "held_minutes"):
            raise RefusedError("opened-already", _("The facts are fixed already."), _("Say it in the meeting."))

    def carry_out(self, context: ActContext) -> None:
        """Store each answer in place of the former one. A blank answer changes nothing."""
        seat = self.load_seat()
        for question, text in self.answers.items():
            values = {"text": text, "written_at": timezone.now()}
            UsabilityOpinion.objects.update_or_create(
                meeting=seat.meeting, person=seat.person, question=question, defaults=values
            )
        OpinionDraft.objects.filter(meeting=seat.meeting, person=seat.person).delete()
