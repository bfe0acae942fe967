"""Acts on threats: assess one in a retro, and accept one as the owner of the product."""

from datetime import date
from typing import Annotated, ClassVar, Self

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.errors import ParseError, RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import Day, InputCode, Label, Text
from muniment.server.people.act_fields import PersonId
from muniment.server.retros.act_fields import RetroSeatAct, ThreatNumber, choice_of, refuse_owner
from muniment.server.retros.models import Grade, RetroThreat, Stride, Treatment, Trend


class AssessThreat(RetroSeatAct, frozen=True, kw_only=True):
    """Add a threat, with likelihood, impact, trend and treatment."""

    actions: ClassVar[tuple[Action, ...]] = (Action.TAKE_PART_IN_MEETING,)
    title: ClassVar[Label] = gettext_lazy("Add threat")

    text: Annotated[str, Text(label=gettext_lazy("What could go wrong?"), most=500)]
    stride: Annotated[Stride, choice_of(Stride, gettext_lazy("Category"))]
    likelihood: Annotated[Grade, choice_of(Grade, gettext_lazy("Likelihood"))]
    impact: Annotated[Grade, choice_of(Grade, gettext_lazy("Impact"))]
    trend: Annotated[Trend, choice_of(Trend, gettext_lazy("Trend"))]
    treatment: Annotated[Treatment, choice_of(Treatment, gettext_lazy("Treatment"))]
    mitigation: Annotated[str, Text(label=gettext_lazy("What mitigates it?"), most=1000, multiline=True)] = ""
    residual: Annotated[Grade, choice_of(Grade, gettext_lazy("Risk that is left"))]
    person: PersonId
    review: Annotated[date | None, Day(label=gettext_lazy("Review date"), recorded=True)] = None

    def normalise_fields(self) -> Self:
        """Act unchanged. Raises ParseError where what belongs to the treatment is missing."""
        if self.treatment is Treatment.MITIGATE and not self.mitigation:
            raise _make_missing_error("mitigation", _("A threat that is mitigated needs what mitigates it."))
        if self.treatment is Treatment.ACCEPT and self.review is None:
            raise _make_missing_error("review", _("A threat that is accepted needs a day of review."))
        return self

    def describe_act(self) -> str:
        """Sentence about the product."""
        return _("add a threat to %(product)s") % {"product": self.load_seat().meeting.product.name}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse an owner who left or owns no risk, and a day of review that is over."""
        super().check_preconditions(context)
        refuse_owner(self.person)
        if self.review is not None and self.review <= timezone.localdate():
            raise RefusedError("day-over", _("The day of review is over."), _("Choose a later day."))

    def carry_out(self, context: ActContext) -> None:
        """Add the row. An accepted threat waits for the signature of the product's owner."""
        RetroThreat.objects.create(
            meeting=self.load_seat().meeting,
            text=self.text,
            stride=self.stride,
            likelihood=self.likelihood,
            impact=self.impact,
            trend=self.trend,
            treatment=self.treatment,
            mitigation=self.mitigation,
            residual=self.residual,
            owner_id=self.person,
            review_on=self.review,
        )


class AcceptThreat(Act, frozen=True):
    """Accept a threat until its day of review, as the owner of the product."""

    actions: ClassVar[tuple[Action, ...]] = (Action.ACCEPT_THREAT,)
    title: ClassVar[Label] = gettext_lazy("Accept threat")

    threat: ThreatNumber

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """Threats as retros assessed them, and who accepted one: its text, treatment and owner do not change alone."""
        rows = RetroThreat.objects.select_related("meeting__product")
        assessed = {
            (each.meeting.lasting_key, each.text, each.treatment, each.residual, each.owner_id) for each in rows
        }
        accepted = {
            (each.meeting.lasting_key, each.text, "accepted", str(each.accepted_by_id), str(each.accepted_on))
            for each in rows
            if each.accepted_on is not None
        }
        return GuardedFacts(protected=frozenset(assessed | accepted))

    def load_threat(self) -> RetroThreat:
        """Row of the threat, with its product."""
        return RetroThreat.objects.select_related("meeting__product").get(pk=self.threat)

    def find_resource(self) -> Resource:
        return self.load_threat().meeting.product_resource

    def format_subject(self) -> str:
        return f"threat:{self.threat}"

    def describe_act(self) -> str:
        """Sentence that names the day of review."""
        row = self.load_threat()
        day = row.review_on.isoformat() if row.review_on is not None else ""
        return _("accept the threat %(number)d until %(day)s") % {"number": self.threat, "day": day}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a threat that is not to be accepted, or was accepted."""
        if not self.load_threat().waits_for_owner:
            raise RefusedError(
                "nothing-to-accept", _("This threat waits for no acceptance."), _("Open the page of the retro again.")
            )

    def carry_out(self, context: ActContext) -> None:
        """Store who accepted it, and when."""
        RetroThreat.objects.filter(pk=self.threat).update(
            accepted_on=timezone.localdate(), accepted_by=context.requester
        )


def _make_missing_error(field: str, sentence: str) -> ParseError:
    return ParseError(InputCode.MISSING, sentence, _("Fill in this field."), field)
