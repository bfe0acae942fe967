"""Acts on a finding: assign it, decide about it with a second person, end a decision."""

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
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import Day, Label
from muniment.server.findings.act_fields import DecisionNumber, FindingAct
from muniment.server.findings.finding_events import ASSIGNED, CORRECTED, DECIDED, DECISION_ENDED, add_events
from muniment.server.findings.models import (
    FALSE_POSITIVE_LASTS,
    DecisionKind,
    FindingDecision,
    FindingSource,
    OwnerBasis,
    ProductFinding,
)
from muniment.server.people.act_fields import PersonId
from muniment.server.people.messages import notify_people
from muniment.server.people.models import Person

LONGEST_ACCEPTANCE = timedelta(days=90)


class AssignFinding(FindingAct, frozen=True):
    """Name who corrects a finding."""

    actions: ClassVar[tuple[Action, ...]] = (Action.HANDLE_FINDING,)
    title: ClassVar[Label] = gettext_lazy("Assign finding")

    person: PersonId

    def describe_act(self) -> str:
        return _("assign the finding %(number)d (%(rule)s) of %(product)s") % self.describe_place()

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse people who left."""
        if not Person.objects.get(pk=self.person).active:
            raise RefusedError("person-left", _("This person has left."), _("Choose someone else."))

    def carry_out(self, context: ActContext) -> None:
        """Store the owner, and notify them."""
        row = self.load_finding()
        ProductFinding.objects.filter(pk=row.pk).update(
            owner_id=self.person, owner_basis=OwnerBasis.ASSIGNED, owner_name=""
        )
        add_events([row.pk], ASSIGNED, self.person)
        text = f"Finding {row.pk} of {row.product.name} is assigned to you: {row.shown_title}."
        notify_people(Person.objects.filter(pk=self.person), text, f"/findings/{row.pk}")


class FindingDecisionAct(FindingAct, frozen=True):
    """Base of decisions that excuse a finding. A second person with the security role approves each."""

    actions: ClassVar[tuple[Action, ...]] = (Action.DECIDE_FINDING,)
    kind: ClassVar[DecisionKind]

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """The decisions that are in force."""
        rows = FindingDecision.find_in_force().select_related("finding__product")
        return GuardedFacts(
            permitted=frozenset(
                (one.finding.product.slug, one.finding.fingerprint, one.kind, str(one.ends_at)) for one in rows
            )
        )

    def check_preconditions(self, context: ActContext) -> None:
        """Require a finding that is in the code, and about which nothing was decided."""
        if self.load_finding().gone_at is not None:
            raise RefusedError("finding-gone", _("It was corrected already."), _("There is nothing left to decide."))
        if FindingDecision.find_in_force().filter(finding=self.finding).exists():
            raise RefusedError(
                "decided-already", _("A decision about it is in force."), _("End it on the page of the finding first.")
            )

    def find_end(self, context: ActContext) -> datetime | None:
        """Moment until which the decision is valid; None for one without an end."""
        raise NotImplementedError

    def find_owner(self) -> str | None:
        """Internal id of who answers for it; None for nobody."""
        return None

    def carry_out(self, context: ActContext) -> None:
        """Add the decision, in force from now."""
        FindingDecision.objects.create(
            finding_id=self.finding,
            kind=self.kind,
            reason=self.given_reason(),
            owner_id=self.find_owner(),
            requester_id=context.requester,
            approver_id=context.approver,
            ends_at=self.find_end(context),
        )
        add_events([self.finding], DECIDED, context.requester)


class CallFalsePositive(FindingDecisionAct, frozen=True):
    """Decide that a finding is none. The decision is valid for a year, and is then made again."""

    title: ClassVar[Label] = gettext_lazy("Call it a false positive")
    kind: ClassVar[DecisionKind] = DecisionKind.FALSE_POSITIVE

    reason: Annotated[str, reason_input(hint=gettext_lazy("Say why the code is safe, and where that is checked."))]

    def describe_act(self) -> str:
        return (
            _("call the finding %(number)d (%(rule)s) at %(place)s of %(product)s a false positive, for a year")
            % self.describe_place()
        )

    def find_end(self, context: ActContext) -> datetime | None:
        """A year from now."""
        return timezone.now() + FALSE_POSITIVE_LASTS


class AcceptFinding(FindingDecisionAct, frozen=True, kw_only=True):
    """Accept the risk of a finding until a day, with an owner who answers for it."""

    title: ClassVar[Label] = gettext_lazy("Accept the risk")
    kind: ClassVar[DecisionKind] = DecisionKind.ACCEPTED

    person: PersonId
    until: Annotated[
        date,
        Day(label=gettext_lazy("Until"), hint=gettext_lazy("At most 90 days from today."), recorded=True),
    ]
    reason: Annotated[str, reason_input(label=gettext_lazy("Reason, and what is done about it meanwhile"))]

    def describe_act(self) -> str:
        details = self.describe_place() | {"day": self.until.isoformat()}
        sentence = _("accept the risk of the finding %(number)d (%(rule)s) at %(place)s of %(product)s until %(day)s")
        return sentence % details

    def check_preconditions(self, context: ActContext) -> None:
        """Require a day within the limit, and an owner who is here."""
        super().check_preconditions(context)
        today = timezone.localdate()
        if not today < self.until <= today + LONGEST_ACCEPTANCE:
            raise RefusedError(
                "until-out-of-range",
                _("A risk is accepted for 90 days at most."),
                _("Choose a later day, at most 90 days from today."),
            )
        if not Person.objects.get(pk=self.person).active:
            raise RefusedError("person-left", _("This person has left."), _("Choose someone else."))

    def find_end(self, context: ActContext) -> datetime | None:
        """Beginning of the day after the last one."""
        return timezone.make_aware(datetime.combine(self.until + timedelta(days=1), time()))

    def find_owner(self) -> str | None:
        """Internal id of the owner."""
        return self.person


class ConfirmCorrection(FindingDecisionAct, frozen=True):
    """State that a finding is corrected that no scan can find, such as one of a penetration test."""

    title: ClassVar[Label] = gettext_lazy("State that it is corrected")
    kind: ClassVar[DecisionKind] = DecisionKind.CORRECTED

    reason: Annotated[
        str,
        reason_input(label=gettext_lazy("Correction"), hint=gettext_lazy("Name the change, and how it was tested.")),
    ]

    def describe_act(self) -> str:
        return _("close the finding %(number)d (%(rule)s) of %(product)s as corrected") % self.describe_place()

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse findings of scans: the next scan closes them."""
        super().check_preconditions(context)
        if self.load_finding().source == FindingSource.SCAN:
            raise RefusedError(
                "closed-by-scan", _("A scan found it, and a scan closes it."), _("Correct the code, then scan again.")
            )

    def find_end(self, context: ActContext) -> datetime | None:
        """A correction has no end."""
        return None

    def carry_out(self, context: ActContext) -> None:
        """Add the decision, and close the finding."""
        super().carry_out(context)
        ProductFinding.objects.filter(pk=self.finding).update(gone_at=timezone.now())
        add_events([self.finding], CORRECTED, context.requester)


class EndDecision(Act, frozen=True):
    """End a decision about a finding, which is then open again."""

    actions: ClassVar[tuple[Action, ...]] = (Action.HANDLE_FINDING,)
    title: ClassVar[Label] = gettext_lazy("End decision")

    decision: DecisionNumber

    def load_decision(self) -> FindingDecision:
        """Row of the decision, with its finding."""
        return FindingDecision.objects.select_related("finding__product").get(pk=self.decision)

    def find_resource(self) -> Resource:
        return self.load_decision().finding.access_resource

    def format_subject(self) -> str:
        return f"finding:{self.load_decision().finding_id}"

    def describe_act(self) -> str:
        """Sentence about the finding."""
        row = self.load_decision()
        details = {"number": row.finding_id, "product": row.finding.product.name}
        return _("end the decision about the finding %(number)d of %(product)s") % details

    def check_preconditions(self, context: ActContext) -> None:
        """Require that it is in force."""
        if not FindingDecision.find_in_force().filter(pk=self.decision).exists():
            raise RefusedError("decision-over", _("It is over already."), _("There is nothing left to do."))

    def carry_out(self, context: ActContext) -> None:
        """End it. A finding that it closed is open again."""
        row = self.load_decision()
        FindingDecision.objects.filter(pk=row.pk).update(ended_at=timezone.now())
        if row.kind == DecisionKind.CORRECTED:
            ProductFinding.objects.filter(pk=row.finding_id).update(gone_at=None)
        add_events([row.finding_id], DECISION_ENDED, context.requesting_person)
