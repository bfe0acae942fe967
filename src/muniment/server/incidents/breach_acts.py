"""Acts on a possible breach: duties of a product, awareness, advice, and the decision whether it is notified."""

import datetime
from typing import Annotated, ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Actor, Resource
from muniment.errors import RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import number_input
from muniment.server.acts.inputs import Choice, Flag, Integer, Label, Moment, Text
from muniment.server.incidents.incident_acts import IncidentAct
from muniment.server.incidents.models import (
    DEFAULT_HOURS,
    BreachAdvice,
    BreachClock,
    BreachDuty,
    BreachRegime,
    Incident,
)
from muniment.server.incidents.visibility import visible_incident_filter
from muniment.server.products.act_fields import ProductAct
from muniment.server.products.visible_products import within_reach

_MOST_HOURS = 720
_AUTHORITY = gettext_lazy("Supervisory authority")


def _visible_duties(actor: Actor) -> "QuerySet[BreachDuty]":
    return BreachDuty.objects.filter(within_reach(actor, Action.SEE_INCIDENTS, "product"), ended_at=None)


def _visible_clocks(actor: Actor) -> "QuerySet[BreachClock]":
    return BreachClock.objects.filter(incident__in=Incident.objects.filter(visible_incident_filter(actor)))


class SetBreachDuty(ProductAct, frozen=True):
    """Name whom a breach of a product has to be notified to, and within how many hours."""

    actions: ClassVar[tuple[Action, ...]] = (Action.DESCRIBE_PERSONAL_DATA,)
    title: ClassVar[Label] = gettext_lazy("Add duty")

    regime: Annotated[
        BreachRegime,
        Choice(
            label=gettext_lazy("Regime"),
            options=BreachRegime,
            labels=lambda one: BreachRegime(one).label,
            recorded=True,
        ),
    ]
    recipient: Annotated[str, Text(label=gettext_lazy("Notified to"), most=200)]
    deadline: Annotated[
        int | None,
        Integer(
            label=gettext_lazy("Hours"),
            hint=gettext_lazy("Leave it empty for “without undue delay”."),
            least=1,
            most=_MOST_HOURS,
            recorded=True,
        ),
    ] = None

    def describe_act(self) -> str:
        """Sentence that names the regime."""
        return _("name a duty to notify a breach: %(regime)s") % {"regime": self.regime.label}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a duty that is there."""
        rows = BreachDuty.objects.filter(product__slug=self.product, regime=self.regime, ended_at=None)
        if rows.filter(recipient=self.recipient).exists():
            raise RefusedError("named-already", _("This duty is named already."), _("End it first to change it."))

    def carry_out(self, context: ActContext) -> None:
        BreachDuty.objects.create(
            product=self.find_product_row(), regime=self.regime, recipient=self.recipient, hours=self.deadline
        )


class EndBreachDuty(Act, frozen=True):
    """End a duty to notify: clocks that run are not affected."""

    actions: ClassVar[tuple[Action, ...]] = (Action.DESCRIBE_PERSONAL_DATA,)
    title: ClassVar[Label] = gettext_lazy("End duty")

    duty: Annotated[
        int,
        number_input(
            label=gettext_lazy("Duty"),
            rows=_visible_duties,
            missing=gettext_lazy("There is no such duty."),
            remedy=gettext_lazy("Open the page again."),
            recorded=True,
        ),
    ]

    def find_resource(self) -> Resource:
        return Resource(product=BreachDuty.objects.select_related("product").get(pk=self.duty).product.slug)

    def format_subject(self) -> str:
        return f"breach-duty:{self.duty}"

    def describe_act(self) -> str:
        """Sentence about the duty."""
        return _("end the duty to notify %(number)d") % {"number": self.duty}

    def carry_out(self, context: ActContext) -> None:
        BreachDuty.objects.filter(pk=self.duty).update(ended_at=timezone.now())


class RecordAwareness(IncidentAct, frozen=True):
    """Record since when somebody is aware of a possible breach: from then on the clocks run."""

    title: ClassVar[Label] = gettext_lazy("Record awareness")

    aware: Annotated[
        str,
        Moment(
            label=gettext_lazy("Aware since"),
            hint=gettext_lazy("In UTC, such as 2027-01-31T18:00."),
            recorded=True,
        ),
    ]

    def describe_act(self) -> str:
        """Sentence that names the moment."""
        return _("record that a possible breach is known since %(moment)s") % {"moment": self.aware}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a second awareness, a future moment, and an incident without a product."""
        super().check_preconditions(context)
        row = self.find_incident_row()
        if row.product is None:
            raise RefusedError(
                "no-product", _("This incident concerns no product."), _("Record it on the incident of the product.")
            )
        if BreachClock.objects.filter(incident=row).exists():
            raise RefusedError("recorded-already", _("The clocks run already."), _("Look at the table below."))
        if datetime.datetime.fromisoformat(self.aware) > timezone.now():
            raise RefusedError("in-future", _("This moment is in the future."), _("Write when it became known."))

    def carry_out(self, context: ActContext) -> None:
        """Start a clock for each duty of the product; without one, that of a controller."""
        row, aware = self.find_incident_row(), datetime.datetime.fromisoformat(self.aware)
        duties = list(BreachDuty.objects.filter(product=row.product, ended_at=None))
        if not duties:
            hours = DEFAULT_HOURS[BreachRegime.CONTROLLER]
            duties = [BreachDuty(regime=BreachRegime.CONTROLLER, recipient=str(_AUTHORITY), hours=hours)]
        BreachClock.objects.bulk_create(
            BreachClock(
                incident=row,
                regime=each.regime,
                recipient=each.recipient,
                hours=each.hours,
                aware_at=aware,
                aware_person_id=context.requester,
            )
            for each in duties
        )


class AdviseOnBreach(IncidentAct, frozen=True):
    """Advise on the notification of a breach as the Data Protection Officer. The owner of the incident decides."""

    actions: ClassVar[tuple[Action, ...]] = (Action.WRITE_DPO_FEEDBACK,)
    title: ClassVar[Label] = gettext_lazy("Add advice")

    text: Annotated[str, Text(label=gettext_lazy("Your advice"), most=4000, multiline=True)]

    def describe_act(self) -> str:
        """Sentence about the incident."""
        return _("advise on the notification of the incident %(number)d") % {"number": self.incident}

    def carry_out(self, context: ActContext) -> None:
        """Store it as it was written."""
        BreachAdvice.objects.create(incident_id=self.incident, person_id=context.requester, text=self.text)


class DecideNotification(Act, frozen=True):
    """Record whether a breach is notified, as the owner of the incident. It needs a reason either way."""

    actions: ClassVar[tuple[Action, ...]] = (Action.HANDLE_INCIDENT,)
    title: ClassVar[Label] = gettext_lazy("Record decision")

    clock: Annotated[
        int,
        number_input(
            label=gettext_lazy("Duty"),
            rows=_visible_clocks,
            missing=gettext_lazy("There is no such clock."),
            remedy=gettext_lazy("Open the page of the incident again."),
            recorded=True,
        ),
    ]
    notified: Annotated[bool, Flag(label=gettext_lazy("Notified"), ask=True, recorded=True)]
    reason: Annotated[str, Text(label=gettext_lazy("Reason"), most=2000, multiline=True)]

    def load_clock(self) -> BreachClock:
        """Row of the clock, with incident and product."""
        return BreachClock.objects.select_related("incident__product").get(pk=self.clock)

    def find_resource(self) -> Resource:
        return self.load_clock().incident.resource

    def format_subject(self) -> str:
        return f"incident:{self.load_clock().incident_id}"

    def describe_act(self) -> str:
        """Sentence about the duty."""
        return _("record whether the breach is notified, by duty %(number)d") % {"number": self.clock}

    def check_preconditions(self, context: ActContext) -> None:
        """Require the owner of the incident, and a clock on which nothing was decided."""
        row = self.load_clock()
        if row.incident.owner_id != context.requester:
            raise RefusedError(
                "not-owner", _("The owner of the incident decides."), _("Take the incident over, or ask its owner.")
            )
        if row.is_notified is not None:
            raise RefusedError("decided-already", _("This was decided already."), _("Nothing is left to do."))

    def carry_out(self, context: ActContext) -> None:
        """Store the decision with its reason."""
        BreachClock.objects.filter(pk=self.clock).update(
            is_notified=self.notified,
            reason=self.reason,
            decided_by_id=context.requester,
            decided_at=timezone.now(),
        )
