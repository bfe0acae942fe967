"""Acts on monitoring: a clause is evaluated for a product and does not block, through a day."""

import secrets
from datetime import date, timedelta
from typing import Annotated, ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Actor, Resource
from muniment.errors import RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.guarded_state import GuardedFacts
from muniment.server.acts.inputs import Day, Label, Reference
from muniment.server.job_queue import enqueue
from muniment.server.policies.act_fields import ClauseId, find_clause_name
from muniment.server.policies.models import MonitoringPeriod
from muniment.server.products.act_fields import GivenReason, ProductId, find_product_name
from muniment.server.products.models import Product

LONGEST_MONITORING = 366  # days


class StartMonitoring(Act, frozen=True):
    """Put one clause into monitoring for one product, through a day."""

    actions: ClassVar[tuple[Action, ...]] = (Action.START_MONITORING,)
    title: ClassVar[Label] = gettext_lazy("Start monitoring")

    product: ProductId
    clause: ClauseId
    until: Annotated[date, Day(label=gettext_lazy("Last day, within a year"), recorded=True)]
    reason: GivenReason

    @classmethod
    def guarded_state(cls) -> GuardedFacts:
        """The clauses that do not block, and until when."""
        rows = MonitoringPeriod.find_current_periods().values_list("product__slug", "clause", "last_day")
        return GuardedFacts(permitted=frozenset((product, clause, str(day)) for product, clause, day in rows))

    def find_resource(self) -> Resource:
        return Resource(product=self.product)

    def format_subject(self) -> str:
        """The product and the clause."""
        return f"policy:{self.product}/{self.clause}"

    def describe_act(self) -> str:
        """The clause, the product and the day."""
        details = {"clause": find_clause_name(self.clause), "product": find_product_name(self.product)}
        details |= {"day": self.until.isoformat()}
        return _("put the clause “%(clause)s” into monitoring for %(product)s, until the end of %(day)s") % details

    def check_preconditions(self, context: ActContext) -> None:
        """The product is active, the day within a year, and the clause not in monitoring there."""
        if not Product.objects.filter(slug=self.product, retired_at=None).exists():
            raise RefusedError("product-retired", _("The product is retired."), _("Choose an active product."))
        today = timezone.now().date()
        if not today < self.until <= today + timedelta(days=LONGEST_MONITORING):
            raise RefusedError(
                "day-out-of-range",
                _("The last day is over, is today, or is more than a year away."),
                _("Choose a day from tomorrow on, within a year."),
            )
        if MonitoringPeriod.find_current_periods().filter(product__slug=self.product, clause=self.clause).exists():
            raise RefusedError(
                "monitored-already",
                _("The clause is in monitoring there already."),
                _("End that monitoring period first, to choose another day."),
            )

    def carry_out(self, context: ActContext) -> None:
        """Add the period, and evaluate the product's changes again."""
        MonitoringPeriod.objects.create(
            slug=f"monitoring-{secrets.token_hex(4)}",
            product=Product.objects.get(slug=self.product),
            clause=self.clause,
            last_day=self.until,
            reason=self.reason,
            requester_id=context.requester,
            approver_id=context.approver,
        )
        enqueue("reevaluate-all")


def _find_period(slug: str, actor: Actor) -> str | None:
    return slug if MonitoringPeriod.objects.filter(slug=slug).exists() else None


class EndMonitoring(Act, frozen=True):
    """End a monitoring period early: the clause blocks again."""

    actions: ClassVar[tuple[Action, ...]] = (Action.END_EXCEPTION,)
    title: ClassVar[Label] = gettext_lazy("End monitoring")

    period: Annotated[
        str,
        Reference(
            label=gettext_lazy("Monitoring period"),
            find=_find_period,
            name=str,
            missing=gettext_lazy("There is no such monitoring period."),
            remedy=gettext_lazy("Choose a monitoring period that the page of the product shows."),
            recorded=True,
            most=64,
        ),
    ]

    def find_resource(self) -> Resource:
        return Resource(product=MonitoringPeriod.objects.get(slug=self.period).product.slug)

    def format_subject(self) -> str:
        return f"monitoring:{self.period}"

    def describe_act(self) -> str:
        row = MonitoringPeriod.objects.select_related("product").get(slug=self.period)
        details = {"clause": find_clause_name(row.clause), "product": row.product.name}
        return _("end the monitoring of the clause “%(clause)s” for %(product)s") % details

    def check_preconditions(self, context: ActContext) -> None:
        """Require that it is not over."""
        if not MonitoringPeriod.find_current_periods().filter(slug=self.period).exists():
            raise RefusedError("monitoring-over", _("It is over already."), _("There is nothing left to do."))

    def carry_out(self, context: ActContext) -> None:
        """End it, and evaluate the product's changes again."""
        MonitoringPeriod.objects.filter(slug=self.period).update(ended_at=timezone.now())
        enqueue("reevaluate-all")
