"""Acts on threats of a design: say what mitigates one, accept one as the owner of the product, end an answer."""

from datetime import date, datetime, time, timedelta
from typing import Annotated, ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Resource
from muniment.errors import RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import reason_input
from muniment.server.acts.inputs import Day, Label, Text
from muniment.server.designs.act_fields import DesignThreatAct, ThreatAnswerNumber
from muniment.server.designs.models import AnswerKind, ThreatAnswer

LONGEST_THREAT_ACCEPTANCE = timedelta(days=366)


class ThreatAnswerAct(DesignThreatAct, frozen=True):
    """Base of answers to a threat. The answer in force before it ends."""

    kind: ClassVar[AnswerKind]

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a threat that the design no longer has."""
        if self.load_threat().gone_at is not None:
            raise RefusedError(
                "threat-gone", _("The design no longer has this threat."), _("There is nothing left to answer.")
            )

    def read_text(self) -> str:
        """Text of the answer."""
        raise NotImplementedError

    def find_end(self) -> datetime | None:
        """Moment until which the answer is valid; None for one without an end."""
        return None

    def carry_out(self, context: ActContext) -> None:
        """Add the answer in place of the former one."""
        ThreatAnswer.find_in_force().filter(threat=self.threat).update(ended_at=timezone.now())
        ThreatAnswer.objects.create(
            threat_id=self.threat,
            kind=self.kind,
            text=self.read_text(),
            person_id=context.requester,
            ends_at=self.find_end(),
        )


class MitigateDesignThreat(ThreatAnswerAct, frozen=True, kw_only=True):
    """Say what acts against a threat of the design."""

    actions: ClassVar[tuple[Action, ...]] = (Action.ANSWER_DESIGN_THREAT,)
    title: ClassVar[Label] = gettext_lazy("State the mitigation")
    kind: ClassVar[AnswerKind] = AnswerKind.MITIGATED

    mitigation: Annotated[
        str,
        Text(
            label=gettext_lazy("What mitigates it?"),
            hint=gettext_lazy("Name the guard or the requirement, and where it is tested."),
            most=1000,
            multiline=True,
        ),
    ]

    def describe_act(self) -> str:
        """Sentence about the threat."""
        return _("state what mitigates the threat “%(threat)s” of %(product)s") % self.describe_place()

    def read_text(self) -> str:
        """Text of the mitigation."""
        return self.mitigation


class AcceptDesignThreat(ThreatAnswerAct, frozen=True, kw_only=True):
    """Accept a threat of the design until a day, as the owner of the product."""

    actions: ClassVar[tuple[Action, ...]] = (Action.ACCEPT_THREAT,)
    title: ClassVar[Label] = gettext_lazy("Accept the threat")
    kind: ClassVar[AnswerKind] = AnswerKind.ACCEPTED

    until: Annotated[
        date, Day(label=gettext_lazy("Until"), hint=gettext_lazy("At most a year from today."), recorded=True)
    ]
    reason: Annotated[str, reason_input()]

    def describe_act(self) -> str:
        """Sentence about the threat, with the day."""
        details = self.describe_place() | {"day": self.until.isoformat()}
        return _("accept the threat “%(threat)s” of %(product)s until %(day)s") % details

    def check_preconditions(self, context: ActContext) -> None:
        """Require a day within a year."""
        super().check_preconditions(context)
        today = timezone.localdate()
        if not today < self.until <= today + LONGEST_THREAT_ACCEPTANCE:
            raise RefusedError(
                "until-out-of-range",
                _("A threat is accepted for a year at most."),
                _("Choose a later day, at most a year from today."),
            )

    def read_text(self) -> str:
        """Reason of the acceptance."""
        return self.given_reason()

    def find_end(self) -> datetime | None:
        """Beginning of the day after the last one."""
        return timezone.make_aware(datetime.combine(self.until + timedelta(days=1), time()))


class EndThreatAnswer(Act, frozen=True):
    """End an answer to a threat, which is then open again."""

    actions: ClassVar[tuple[Action, ...]] = (Action.ANSWER_DESIGN_THREAT,)
    title: ClassVar[Label] = gettext_lazy("End answer")

    answer: ThreatAnswerNumber

    def load_answer(self) -> ThreatAnswer:
        """Row of the answer, with its threat and product."""
        return ThreatAnswer.objects.select_related("threat__product").get(pk=self.answer)

    def find_resource(self) -> Resource:
        return self.load_answer().threat.access_resource

    def format_subject(self) -> str:
        return f"design-threat:{self.load_answer().threat_id}"

    def describe_act(self) -> str:
        """Sentence that names the product."""
        return _("end an answer to a threat of %(product)s") % {"product": self.load_answer().threat.product.name}

    def check_preconditions(self, context: ActContext) -> None:
        """Require that it is in force."""
        if not ThreatAnswer.find_in_force().filter(pk=self.answer).exists():
            raise RefusedError("answer-over", _("It is over already."), _("There is nothing left to do."))

    def carry_out(self, context: ActContext) -> None:
        """Store the moment at which it ended."""
        ThreatAnswer.objects.filter(pk=self.answer).update(ended_at=timezone.now())
