"""Acts on a bypass: review it afterwards, have a change prepared that reverts it."""

from typing import Annotated, ClassVar

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Actor, Resource, list_permitted_products
from muniment.errors import RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import number_input, reason_input
from muniment.server.acts.inputs import Label
from muniment.server.connections.forge_access import find_repository_link, format_person_address
from muniment.server.connections.models import BranchUpdate, BypassReview
from muniment.server.job_queue import enqueue
from muniment.server.people.models import Person

_HEADS = "refs/heads/"
_SHORT = 7  # digits of a commit in a sentence


def _visible_bypasses(actor: Actor) -> "QuerySet[BranchUpdate]":
    rows = BranchUpdate.objects.filter(outcome=BranchUpdate.Outcome.BYPASS)
    visible = list_permitted_products(actor, Action.SEE_PRODUCT)
    return rows if visible is None else rows.filter(repository__product__slug__in=visible)


class BypassAct(Act, frozen=True):
    """Act on one open bypass."""

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

    def find_resource(self) -> Resource:
        """The product of its repository."""
        return Resource(product=self.load_bypass().repository.product.slug)

    def format_subject(self) -> str:
        return f"bypass:{self.bypass}"

    def load_bypass(self) -> BranchUpdate:
        """The row of the bypass."""
        return BranchUpdate.objects.select_related("incident", "repository__product").get(pk=self.bypass)

    def label_bypass(self) -> str:
        """Its commit, if one reached the branch, its branch and its product."""
        row = self.load_bypass()
        details = {
            "commit": row.commit[:_SHORT],
            "branch": row.ref.removeprefix(_HEADS),
            "product": row.repository.product.name,
        }
        if not row.commit:
            return _("of branch %(branch)s of %(product)s") % details
        return _("of commit %(commit)s on branch %(branch)s of %(product)s") % details

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a bypass whose incident is closed."""
        incident = self.load_bypass().incident
        if incident is None or incident.closed_at is not None:
            raise RefusedError("bypass-closed", _("It is not open any more."), _("Its page shows how it ended."))


class ReviewBypass(BypassAct, frozen=True):
    """Review a bypass afterwards, and accept it. Enough reviews by others close it."""

    actions: ClassVar[tuple[Action, ...]] = (Action.REVIEW_BYPASS,)
    title: ClassVar[Label] = gettext_lazy("Accept bypass")

    reason: Annotated[str, reason_input(hint=gettext_lazy("Say what you reviewed, and why it may stay."))]

    def describe_act(self) -> str:
        return _("accept the bypass %(bypass)s") % {"bypass": self.label_bypass()}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a closed bypass, a contributor to it, and a second review by the same person."""
        super().check_preconditions(context)
        row = self.load_bypass()
        if row.bypass_reviews.filter(reviewer=context.requester).exists():
            raise RefusedError("bypass-reviewed", _("You reviewed it already."), _("Ask others to review it."))
        if context.requester in row.contributors:
            raise RefusedError("own-bypass", _("You contributed to it."), _("Ask others to review it."))

    def carry_out(self, context: ActContext) -> None:
        """Add the review; with enough of them the worker closes the bypass."""
        row = self.load_bypass()
        BypassReview.objects.create(branch_update=row, reviewer_id=context.requester, reason=self.reason)
        enqueue("close-reviewed-bypasses", repository=row.repository_id)


class RevertBypass(BypassAct, frozen=True):
    """Have a change prepared that reverts a bypass. It names the person, who then cannot approve it."""

    actions: ClassVar[tuple[Action, ...]] = (Action.REQUEST_REVIEW,)
    title: ClassVar[Label] = gettext_lazy("Prepare revert")

    def describe_act(self) -> str:
        return _("prepare a revert of the bypass %(bypass)s") % {"bypass": self.label_bypass()}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a closed bypass, one that cannot be reverted, and a requester whom the change could not name."""
        super().check_preconditions(context)
        row = self.load_bypass()
        if not row.commit or not row.previous_tip:
            raise RefusedError(
                "nothing-to-revert", _("There is no commit that could be reverted."), _("Review it instead.")
            )
        connected = find_repository_link(row.repository)
        requester = Person.objects.get(pk=context.requester)
        if connected is None or not format_person_address(requester, connected.connection):
            raise RefusedError(
                "requester-without-address",
                _("The change has to name you, because its requester cannot approve it."),
                _("Add your login at the forge or an e-mail address to your account first, or ask somebody else."),
            )

    def carry_out(self, context: ActContext) -> None:
        """Enqueue the revert for the worker."""
        enqueue("prepare-revert", update=self.bypass, person=context.requester, record=context.record)
