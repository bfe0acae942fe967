"""Acts on freezes: one person freezes merges and deployments, two people lift it."""

import math
from typing import Annotated, ClassVar, Self

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from msgspec import structs

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION, Actor, Resource
from muniment.decision.freezes import is_freeze_over
from muniment.errors import ParseError, RefusedError, UsageError
from muniment.facts.statements import Freeze as FreezeFact
from muniment.server import moments
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import reason_input
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import Flag, Generated, InputCode, Label, Moment, Reference, Text
from muniment.server.job_queue import enqueue, enqueue_in
from muniment.server.policies.exception_proofs import ACT
from muniment.server.policies.models import Freeze
from muniment.server.products.act_fields import find_active_environment, find_product_name, make_product_input
from muniment.server.products.models import Product
from muniment.server.records.installation import open_store
from muniment.workflows import freezing


class FreezeAct(Act, frozen=True):
    """Base of acts on a freeze: whatever its scope, it is the organisation's."""

    def find_resource(self) -> Resource:
        return ORGANISATION


class StartFreeze(FreezeAct, frozen=True):
    """Freeze merges and deployments: all, those of a product, or the deployments to one environment of it.

    A drill stops nothing.
    """

    actions: ClassVar[tuple[Action, ...]] = (Action.FREEZE,)
    title: ClassVar[Label] = gettext_lazy("Freeze merges and deployments")

    reason: Annotated[str, reason_input(hint=gettext_lazy("Everybody who wants to merge or deploy reads it."))]
    product: Annotated[str, make_product_input(blank=gettext_lazy("All products"))] = ""
    environment: Annotated[
        str,
        Text(
            label=gettext_lazy("Environment"),
            hint=gettext_lazy("Only deployments to this environment of the product; empty for all of the product."),
            most=64,
            recorded=True,
        ),
    ] = ""
    since: Annotated[
        str,
        Moment(label=gettext_lazy("Start, in UTC"), hint=gettext_lazy("Empty for now."), recorded=True),
    ] = ""
    until: Annotated[
        str,
        Moment(
            label=gettext_lazy("End, in UTC"), hint=gettext_lazy("Empty for until two people lift it."), recorded=True
        ),
    ] = ""
    drill: Annotated[bool, Flag(label=gettext_lazy("Drill: it stops nothing"), recorded=True)] = False
    freeze: Annotated[str, Generated(label="id", recorded=True)] = ""

    def normalise_fields(self) -> Self:
        """With the id of the new freeze. Raises ParseError for an environment of no product."""
        if self.environment and not self.product:
            raise ParseError(
                InputCode.MISSING, _("An environment belongs to a product."), _("Choose its product."), "product"
            )
        return structs.replace(self, freeze=freezing.create_freeze_id())

    def format_subject(self) -> str:
        return f"freeze:{self.freeze}"

    def describe_act(self) -> str:
        """Everything that it stops, and whether it is a drill."""
        details = {"product": find_product_name(self.product), "environment": self.environment}
        if self.drill:
            return _("drill a freeze")
        if self.environment:
            return _("freeze the deployments to %(environment)s of %(product)s") % details
        if self.product:
            return _("freeze the merges and deployments of %(product)s") % details
        return _("freeze all merges and deployments")

    def check_preconditions(self, context: ActContext) -> None:
        """The environment is in use, and the freeze begins now or later, and ends after that."""
        if self.environment:
            find_active_environment(self.product, self.environment)
        try:
            freezing.check_freeze_period(self.since or context.requested_at, self.until, context.requested_at)
        except UsageError:
            raise RefusedError(
                "freeze-period",
                _("The freeze would begin in the past, or be over before it begins."),
                _("Leave the start empty for now, and choose an end that is later than the start."),
            ) from None

    def carry_out(self, context: ActContext) -> None:
        """Record the freeze, have everything evaluated now, at its start and at its end, and stop deployments."""
        since = self.since or context.requested_at
        scope = (self.until, self.product, self.environment)
        freeze = FreezeFact(self.freeze, context.requester, self.reason, since, self.drill, *scope)
        freezing.record_freeze(open_store(), freeze, context.requested_at, ACT + context.record)
        environment = find_active_environment(self.product, self.environment) if self.environment else None
        Freeze.objects.create(
            slug=self.freeze,
            started_by_id=context.requester,
            reason=self.reason,
            drill=self.drill,
            since=moments.parse_moment(since),
            until=moments.parse_moment(self.until) if self.until else None,
            product=Product.objects.get(slug=self.product) if self.product else None,
            environment=environment,
        )
        enqueue("apply-freeze", freeze=self.freeze, boundary="recorded")
        for boundary, moment in (("start", self.since), ("end", self.until)):
            if moment:
                seconds = (moments.parse_moment(moment) - timezone.now()).total_seconds()
                enqueue_in("apply-freeze", math.ceil(max(seconds, 0)), freeze=self.freeze, boundary=boundary)


def _find_freeze(slug: str, actor: Actor) -> str | None:
    return slug if Freeze.objects.filter(slug=slug).exists() else None


def _label_freeze(slug: str) -> str:
    """Describe a freeze by what it stops, who started it and when; "" for an unknown one."""
    row = Freeze.objects.select_related("product", "environment", "started_by").filter(slug=slug).first()
    if row is None:
        return ""
    scope = row.product.name if row.product is not None else _("all products")
    if row.environment is not None:
        scope = _("%(environment)s of %(product)s") % {"environment": row.environment.name, "product": scope}
    details = {"scope": scope, "person": row.started_by.name, "day": date_format(row.since, "j M Y")}
    return _("%(scope)s, started by %(person)s on %(day)s") % details


class LiftFreeze(FreezeAct, frozen=True):
    """Lift a freeze: merges and deployments go on."""

    actions: ClassVar[tuple[Action, ...]] = (Action.LIFT_FREEZE,)
    title: ClassVar[Label] = gettext_lazy("Lift freeze")

    freeze: Annotated[
        str,
        Reference(
            label=gettext_lazy("Freeze"),
            find=_find_freeze,
            name=str,
            show=_label_freeze,
            missing=gettext_lazy("There is no such freeze."),
            remedy=gettext_lazy("Choose a freeze that the page Policy shows."),
            recorded=True,
            most=16,
        ),
    ]

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """Everything that is frozen, by the records that evaluations read."""
        now = moments.current_moment()
        found = [one for one in open_store().list_freezes() if not is_freeze_over(one, now) and not one.drill]
        return GuardedFacts(
            protected=frozenset((one.product, one.environment, one.since, one.until, one.id) for one in found)
        )

    def format_subject(self) -> str:
        return f"freeze:{self.freeze}"

    def describe_act(self) -> str:
        return _("lift the freeze of %(freeze)s") % {"freeze": _label_freeze(self.freeze)}

    def shown_details(self) -> tuple[str, ...]:
        """The id of the freeze: one person can start two on a day."""
        return (_("Freeze: %(id)s") % {"id": self.freeze},)

    def check_preconditions(self, context: ActContext) -> None:
        """Require that it is neither lifted nor over."""
        now = moments.current_moment()
        if self.freeze not in {freeze.id for freeze in open_store().list_freezes() if not is_freeze_over(freeze, now)}:
            raise RefusedError("freeze-lifted", _("It was lifted already."), _("There is nothing left to do."))

    def carry_out(self, context: ActContext) -> None:
        """Record that both lift it, and evaluate everything again."""
        now, reason = moments.current_moment(), _("It is over.")
        freezing.record_lift(open_store(), self.freeze, context.requester, reason, now, ACT + context.request_record)
        freezing.record_lift(open_store(), self.freeze, str(context.approver), reason, now, ACT + context.record)
        Freeze.objects.filter(slug=self.freeze).update(lifted_at=timezone.now())
        enqueue("reevaluate-all")
