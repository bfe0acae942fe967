"""Advice of the Data Protection Officer to management directly (GDPR 38): sent without anybody in between."""

from typing import Annotated, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.roles import Role
from muniment.errors import RefusedError
from muniment.server.acts.act import ActContext
from muniment.server.acts.inputs import Label, Text
from muniment.server.meetings.mail_languages import notify_in_own_language
from muniment.server.minutes.models import ManagementAdvice
from muniment.server.people.messages import find_role_holders
from muniment.server.products.act_fields import ProductAct


class AdviseManagement(ProductAct, frozen=True):
    """Send advice to management directly."""

    actions: ClassVar[tuple[Action, ...]] = (Action.WRITE_DPO_FEEDBACK,)
    title: ClassVar[Label] = gettext_lazy("Send to management")

    text: Annotated[str, Text(label=gettext_lazy("Your advice"), most=4000, multiline=True)]

    def describe_act(self) -> str:
        """Sentence that names the product."""
        return _("send advice on %(product)s to management directly") % {"product": self.product}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse if nobody would read it."""
        if not find_role_holders((Role.MANAGEMENT,), self.find_product_row()).exists():
            raise RefusedError(
                "no-management",
                _("Nobody has the role management."),
                _("Ask an administrator to grant it, so that somebody reads your advice."),
            )

    def carry_out(self, context: ActContext) -> None:
        """Store it, and notify management."""
        product = self.find_product_row()
        ManagementAdvice.objects.create(product=product, person_id=context.requester, text=self.text)
        details = {"product": product.name}
        notify_in_own_language(
            find_role_holders((Role.MANAGEMENT,), product),
            lambda: _("Advice of the Data Protection Officer on %(product)s. Read it on its page.") % details,
            f"/products/{product.slug}/advice",
        )
