"""Acts on improvements: decide one, say what became of it, carry it over, and plan it."""

from typing import Annotated, ClassVar, Self

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.errors import ParseError, RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import Flag, InputCode, Integer, Label, Text
from muniment.server.people.act_fields import PersonId
from muniment.server.retros.act_fields import (
    EarlierImprovement,
    ImprovementNumber,
    RequiredDay,
    RetroSeatAct,
    ShortFigure,
    choice_of,
    refuse_owner,
)
from muniment.server.retros.models import Improvement, ImprovementKind, ImprovementResult, OwnerHours

_WHY_AFTER = 2  # carried over so often: the next time asks why


class DecideImprovement(RetroSeatAct, frozen=True, kw_only=True):
    """Decide an improvement: who does it and from when, its metric with today's figure, target and day."""

    actions: ClassVar[tuple[Action, ...]] = (Action.TAKE_PART_IN_MEETING,)
    title: ClassVar[Label] = gettext_lazy("Add improvement")

    kind: Annotated[ImprovementKind, choice_of(ImprovementKind, gettext_lazy("Kind"))]
    text: Annotated[str, Text(label=gettext_lazy("What"), most=300)]
    step: Annotated[
        str,
        Text(
            label=gettext_lazy("Step that it changes"),
            hint=gettext_lazy("A clause, a parameter, a checklist or a habit. Needed for the work process."),
            most=300,
        ),
    ] = ""
    person: PersonId
    start: RequiredDay
    metric: Annotated[str, Text(label=gettext_lazy("Metric"), most=200)]
    before: ShortFigure
    target: ShortFigure
    look: RequiredDay

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """Improvements as retros decided them, with the figures by which their results are measured."""
        rows = Improvement.objects.select_related("meeting__product")
        return GuardedFacts(
            protected=frozenset(
                (each.meeting.lasting_key, each.text, each.metric, each.before, each.target, each.look_on.isoformat())
                for each in rows
            )
        )

    def normalise_fields(self) -> Self:
        """Act unchanged. Raises ParseError without a step of the work process, and for days in the wrong order."""
        if self.kind is ImprovementKind.PROCESS and not self.step:
            raise ParseError(
                InputCode.MISSING, _("Name the step of the work process."), _("Fill in this field."), "step"
            )
        if self.look <= self.start:
            raise ParseError(
                InputCode.OUT_OF_RANGE,
                _("It is looked at before it begins."),
                _("Choose a day after the beginning."),
                "look",
            )
        return self

    def describe_act(self) -> str:
        """Sentence about the product."""
        return _("decide an improvement of %(product)s") % {"product": self.load_seat().meeting.product.name}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse an owner who left or owns no risk."""
        super().check_preconditions(context)
        refuse_owner(self.person)

    def carry_out(self, context: ActContext) -> None:
        """Add the row, which is not planned yet."""
        Improvement.objects.create(
            meeting=self.load_seat().meeting,
            kind=self.kind,
            text=self.text,
            step=self.step,
            owner_id=self.person,
            starts_on=self.start,
            metric=self.metric,
            before=self.before,
            target=self.target,
            look_on=self.look,
        )


class CarryOverImprovement(RetroSeatAct, frozen=True):
    """Carry an improvement of an earlier retro over. The third time needs the reason why it was not done."""

    actions: ClassVar[tuple[Action, ...]] = (Action.TAKE_PART_IN_MEETING,)
    title: ClassVar[Label] = gettext_lazy("Carry over")

    improvement: ImprovementNumber
    look: RequiredDay
    reason: Annotated[str, Text(label=gettext_lazy("Why is it not done?"), most=500)] = ""

    def load_improvement(self) -> Improvement:
        """Row of the earlier improvement."""
        return Improvement.objects.select_related("meeting").get(pk=self.improvement)

    def describe_act(self) -> str:
        """Sentence about the improvement."""
        return _("carry the improvement %(number)d over") % {"number": self.improvement}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse one of this retro, of another product, or that was carried over; the third time without a reason."""
        super().check_preconditions(context)
        row, meeting = self.load_improvement(), self.load_seat().meeting
        if row.meeting_id == meeting.pk or row.meeting.product_id != meeting.product_id:
            raise RefusedError(
                "no-earlier-one", _("It is no improvement of an earlier retro."), _("Open the page of the retro again.")
            )
        if hasattr(row, "carried_to"):
            raise RefusedError("carried-already", _("It was carried over already."), _("Nothing is left to do."))
        if row.count_carries() >= _WHY_AFTER and not self.reason:
            raise RefusedError(
                "no-reason",
                _("It is carried over for the third time, or more often."),
                _("Write why it was not done so far."),
            )
        if self.look <= timezone.localdate():
            raise RefusedError("day-over", _("This day is over already."), _("Choose a later day."))

    def carry_out(self, context: ActContext) -> None:
        """Add the same improvement to this retro, not planned yet."""
        row = self.load_improvement()
        Improvement.objects.create(
            meeting=self.load_seat().meeting,
            kind=row.kind,
            text=row.text,
            step=row.step,
            owner_id=row.owner_id,
            starts_on=timezone.localdate(),
            metric=row.metric,
            before=row.before,
            target=row.target,
            look_on=self.look,
            note=self.reason,
            carried_from=row,
        )


class NoteResult(Act, frozen=True):
    """Say what became of one's own improvement: its metric now, and whether it worked."""

    actions: ClassVar[tuple[Action, ...]] = (Action.TAKE_PART_IN_MEETING,)
    title: ClassVar[Label] = gettext_lazy("Save result")

    improvement: ImprovementNumber
    result: Annotated[ImprovementResult, choice_of(ImprovementResult, gettext_lazy("Result"))]
    after: Annotated[str, Text(label=gettext_lazy("Figure of now"), most=60)] = ""
    note: Annotated[str, Text(label=gettext_lazy("Note"), most=500)] = ""

    def normalise_fields(self) -> Self:
        """Act unchanged. Raises ParseError without the figure that the result follows from."""
        if self.result is not ImprovementResult.UNCLEAR and not self.after:
            raise ParseError(InputCode.MISSING, _("Write the figure of now, or choose “Cannot tell”."), "", "after")
        return self

    def find_resource(self) -> Resource:
        """The person who owns the improvement."""
        return Resource(owner=Improvement.objects.get(pk=self.improvement).owner_id)

    def format_subject(self) -> str:
        return f"improvement:{self.improvement}"

    def describe_act(self) -> str:
        """Sentence about the improvement."""
        return _("say what became of the improvement %(number)d") % {"number": self.improvement}

    def carry_out(self, context: ActContext) -> None:
        """Store the result in place of the former one."""
        Improvement.objects.filter(pk=self.improvement).update(
            result=self.result, after=self.after, note=self.note, looked_on=timezone.localdate()
        )


class StateHours(RetroSeatAct, frozen=True):
    """State the hours a week that one has for the improvements."""

    actions: ClassVar[tuple[Action, ...]] = (Action.TAKE_PART_IN_MEETING,)
    title: ClassVar[Label] = gettext_lazy("Save hours")

    hours: Annotated[int, Integer(label=gettext_lazy("Hours a week"), least=0, most=40, recorded=True)]

    def describe_act(self) -> str:
        """Sentence that names the hours."""
        return _("have %(hours)d hours a week for improvements") % {"hours": self.hours}

    def carry_out(self, context: ActContext) -> None:
        """Store the hours in place of the former ones."""
        OwnerHours.objects.update_or_create(
            meeting=self.load_seat().meeting, person_id=context.requester, defaults={"hours": self.hours}
        )


class PlanImprovement(RetroSeatAct, frozen=True, kw_only=True):
    """Plan an improvement: its work in hours, its first and last day, and the one that comes before."""

    actions: ClassVar[tuple[Action, ...]] = (Action.TAKE_PART_IN_MEETING,)
    title: ClassVar[Label] = gettext_lazy("Plan")

    improvement: ImprovementNumber
    hours: Annotated[int, Integer(label=gettext_lazy("Hours of work"), least=1, most=1000, recorded=True)]
    start: RequiredDay
    end: RequiredDay
    follows: EarlierImprovement = None
    milestone: Annotated[bool, Flag(label=gettext_lazy("Its end is a milestone"), recorded=True)] = False

    def normalise_fields(self) -> Self:
        """Act unchanged. Raises ParseError for an end before the beginning."""
        if self.end < self.start:
            raise ParseError(InputCode.OUT_OF_RANGE, _("It ends before it begins."), _("Choose a later day."), "end")
        return self

    def describe_act(self) -> str:
        """Sentence about the improvement."""
        return _("plan the improvement %(number)d") % {"number": self.improvement}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse improvements of another retro, and a circle of improvements that wait for each other."""
        super().check_preconditions(context)
        self.refuse_other_meeting(Improvement.objects.get(pk=self.improvement))
        if self.follows is None:
            return
        row: Improvement | None = Improvement.objects.get(pk=self.follows)
        if row is not None:
            self.refuse_other_meeting(row)
        while row is not None:  # no circle can be stored, so this ends
            if row.pk == self.improvement:
                raise RefusedError("circle", _("They would wait for each other."), _("Choose another order."))
            row = row.follows

    def carry_out(self, context: ActContext) -> None:
        """Store its place in the schedule."""
        Improvement.objects.filter(pk=self.improvement).update(
            hours=self.hours,
            starts_on=self.start,
            ends_on=self.end,
            follows=self.follows,
            is_milestone=self.milestone,
        )
