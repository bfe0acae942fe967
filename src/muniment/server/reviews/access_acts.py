"""Act by which access is reviewed: keep or remove, which can be changed until the review is held."""

from typing import Annotated, ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import Actor, Resource
from muniment.access.roles import Role
from muniment.errors import RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.fields import number_input
from muniment.server.acts.inputs import Choice, Label
from muniment.server.people.product_people import find_product_grants
from muniment.server.products.models import Product
from muniment.server.products.visible_products import within_reach
from muniment.server.reviews.models import AccessDecision, AccessEntry


def visible_access(actor: Actor) -> "QuerySet[AccessEntry]":
    """Access that a person may decide on: of others. Security officers decide on the access of owners alone."""
    reach = within_reach(actor, Action.REVIEW_ACCESS, "meeting__product")
    rows = AccessEntry.objects.filter(reach).exclude(person=actor.person)
    return rows.select_related("meeting__product", "person")


def is_owner(person: str, product: Product) -> bool:
    """Whether a person owns a product."""
    return find_product_grants(product.pk).filter(person=person, role=Role.OWNER.value).exists()


class ReviewAccess(Act, frozen=True):
    """Decide whether a person keeps their access. Nobody decides on their own, and it can be undone by another word."""

    actions: ClassVar[tuple[Action, ...]] = (Action.REVIEW_ACCESS,)
    title: ClassVar[Label] = gettext_lazy("Decide on access")

    entry: Annotated[
        int,
        number_input(
            label=gettext_lazy("Access"),
            rows=visible_access,
            missing=gettext_lazy("There is no such access, or it is your own."),
            remedy=gettext_lazy("Open the page again. Somebody else decides on your own access."),
            recorded=True,
        ),
    ]
    decision: Annotated[
        AccessDecision,
        Choice(
            label=gettext_lazy("Decision"),
            options=AccessDecision,
            labels=lambda one: AccessDecision(one).label,
            recorded=True,
        ),
    ]

    def load_entry(self) -> AccessEntry:
        """Row of the access, with meeting, product and person."""
        return AccessEntry.objects.select_related("meeting__product", "person").get(pk=self.entry)

    def find_resource(self) -> Resource:
        return self.load_entry().meeting.product_resource

    def format_subject(self) -> str:
        return f"meeting:{self.load_entry().meeting_id}"

    def describe_act(self) -> str:
        """Sentence without the person: what is decided is erased after the review."""
        return _("decide on the access %(number)d") % {"number": self.entry}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse one's own access, a review that was held, and decisions that are the owner's."""
        row = self.load_entry()
        if row.person_id == context.requester:
            raise RefusedError("own-access", _("This access is your own."), _("Ask somebody else to decide on it."))
        if not row.meeting.is_open:
            raise RefusedError("meeting-ended", _("The review was held."), _("Decide in the next one."))
        product = row.meeting.product
        if not is_owner(context.requester, product) and not is_owner(row.person_id, product):
            raise RefusedError(
                "owner-decides", _("The product owner decides on this access."), _("Ask the product owner.")
            )

    def carry_out(self, context: ActContext) -> None:
        """Store the newest decision; "not decided" undoes it."""
        decided = self.decision is not AccessDecision.OPEN
        AccessEntry.objects.filter(pk=self.entry).update(
            decision=self.decision,
            decided_by_id=context.requester if decided else None,
            decided_at=timezone.now() if decided else None,
        )
