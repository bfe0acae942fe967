"""Acts on a bypass: review it afterwards, have a change prepared that reverts it."""

from typing import Annotated, ClassVar

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorize import Actor, Resource, products
from muniment.errors import RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import number_input, reason_input
from muniment.server.acts.inputs import Label
from muniment.server.connections.models import BranchUpdate, BypassReview
from muniment.server.connections.reaching import address_of, connected_of
from muniment.server.people.models import Person
from muniment.server.work import soon


def _visible_bypasses(actor: Actor) -> "QuerySet[BranchUpdate]":
    rows = BranchUpdate.objects.filter(outcome=BranchUpdate.Outcome.BYPASS)
    visible = products(actor, Action.SEE_PRODUCT)
    return rows if visible is None else rows.filter(repository__product__slug__in=visible)


class BypassAct(Act, frozen=True):
    """An act on one bypass that is open."""

    bypass: Annotated[
        int,
        number_input(
            label=gettext_lazy("Bypass"),
            rows=_visible_bypasses,
            missing=gettext_lazy("There is no such bypass."),
            remedy=gettext_lazy("Choose one that the branch history of the product shows."),
            recorded=True,
        ),
    ]

    def resource(self) -> Resource:
        """The product of its repository."""
        return Resource(product=self.row().repository.product.slug)

    def subject(self) -> str:
        """The bypass."""
        return f"bypass:{self.bypass}"

    def row(self) -> BranchUpdate:
        """The row of the bypass."""
        return BranchUpdate.objects.select_related("incident", "repository__product").get(pk=self.bypass)

    def check(self, context: ActContext) -> None:
        """Its incident is open."""
        incident = self.row().incident
        if incident is None or incident.closed_at is not None:
            raise RefusedError("bypass-closed", _("It is not open any more."), _("Its page shows how it ended."))


class ReviewBypass(BypassAct, frozen=True):
    """Review a bypass afterwards, and accept it. Enough reviews by others close it."""

    actions: ClassVar[tuple[Action, ...]] = (Action.REVIEW_BYPASS,)
    title: ClassVar[Label] = gettext_lazy("Accept bypass")

    reason: Annotated[str, reason_input(hint=gettext_lazy("Say what you reviewed, and why it may stay."))]

    def summary(self) -> str:
        """The bypass."""
        return _("accept the bypass %(number)d") % {"number": self.bypass}

    def check(self, context: ActContext) -> None:
        """It is open; the person did not contribute to it, and did not review it yet."""
        super().check(context)
        row = self.row()
        if row.bypass_reviews.filter(reviewer=context.requester).exists():
            raise RefusedError("bypass-reviewed", _("You reviewed it already."), _("Ask others to review it."))
        if context.requester in row.contributors:
            raise RefusedError("own-bypass", _("You contributed to it."), _("Ask others to review it."))

    def execute(self, context: ActContext) -> None:
        """Add the review; with enough of them the worker closes the bypass."""
        row = self.row()
        BypassReview.objects.create(branch_update=row, reviewer_id=context.requester, reason=self.reason)
        soon("close-reviewed-bypasses", repository=row.repository_id)


class RevertBypass(BypassAct, frozen=True):
    """Have a change prepared that reverts a bypass. It names the person, who then cannot approve it."""

    actions: ClassVar[tuple[Action, ...]] = (Action.REQUEST_REVIEW,)
    title: ClassVar[Label] = gettext_lazy("Prepare revert")

    def summary(self) -> str:
        """The bypass."""
        return _("prepare a revert of the bypass %(number)d") % {"number": self.bypass}

    def check(self, context: ActContext) -> None:
        """It is open, there is something to revert, and the change can name who requests it."""
        super().check(context)
        row = self.row()
        if not row.commit or not row.previous_tip:
            raise RefusedError(
                "nothing-to-revert", _("There is no commit that could be reverted."), _("Review it instead.")
            )
        connected = connected_of(row.repository)
        requester = Person.objects.get(pk=context.requester)
        if connected is None or not address_of(requester, connected.connection):
            raise RefusedError(
                "requester-without-address",
                _("The change has to name you, because its requester cannot approve it."),
                _("Add your login at the forge or an e-mail address to your account first, or ask somebody else."),
            )

    def execute(self, context: ActContext) -> None:
        """Have the worker do it."""
        soon("prepare-revert", arrival=self.bypass, person=context.requester, record=context.record)
