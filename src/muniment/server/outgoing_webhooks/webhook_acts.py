"""Acts on outgoing webhooks: add one, store its address, send a test, end it."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from muniment.access.actions import Action
from muniment.access.authorization import ORGANISATION, Actor, Resource
from muniment.errors import RefusedError
from muniment.server.acts.act import Act, ActContext
from muniment.server.acts.inputs import Choice, Label, Reference, Text
from muniment.server.job_queue import enqueue
from muniment.server.outgoing_webhooks import addresses, events
from muniment.server.outgoing_webhooks.delivery import find_next_position
from muniment.server.outgoing_webhooks.models import (
    WEBHOOK_SLUG_PATTERN,
    OutgoingDelivery,
    OutgoingWebhook,
    WebhookFormat,
)
from muniment.server.products.act_fields import SLUG_FORM, make_product_input
from muniment.server.products.models import Product
from muniment.server.vault_access import refuse_without_vault


def _find_webhook(slug: str, actor: Actor) -> str | None:
    return slug if OutgoingWebhook.objects.filter(slug=slug, ended_at=None).exists() else None


WebhookName = Annotated[
    str,
    Reference(
        label=gettext_lazy("Outgoing webhook"),
        find=_find_webhook,
        name=str,
        missing=gettext_lazy("There is no such outgoing webhook."),
        remedy=gettext_lazy("Choose one that the page Outgoing webhooks shows."),
        recorded=True,
        most=40,
    ),
]


class AddOutgoingWebhook(Act, frozen=True):
    """Add an outgoing webhook for the events of a product, or of all. Its address comes after."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CHANGE_SETTINGS,)
    title: ClassVar[Label] = gettext_lazy("Add outgoing webhook")

    name: Annotated[
        str,
        Text(
            label=gettext_lazy("Name"),
            hint=gettext_lazy("Such as portal-chat. Only people here see it."),
            most=40,
            pattern=WEBHOOK_SLUG_PATTERN,
            form=SLUG_FORM,
            recorded=True,
        ),
    ]
    format: Annotated[
        WebhookFormat,
        Choice(
            label=gettext_lazy("Format"),
            options=WebhookFormat,
            labels=lambda one: WebhookFormat(one).label,
            recorded=True,
        ),
    ]
    product: Annotated[str, make_product_input(blank=gettext_lazy("All products"))] = ""

    def find_resource(self) -> Resource:
        return ORGANISATION

    def format_subject(self) -> str:
        return f"outgoing-webhook:{self.name}"

    def describe_act(self) -> str:
        """Sentence with the name and the product."""
        details = {"name": self.name, "product": self.product}
        if self.product:
            return _("add the outgoing webhook %(name)s for the events of %(product)s") % details
        return _("add the outgoing webhook %(name)s for the events of all products") % details

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse a name that a webhook has or had: its address is in the vault under that name."""
        if OutgoingWebhook.objects.filter(slug=self.name).exists():
            raise RefusedError(
                "name-taken", _("An outgoing webhook of that name already exists, or did."), _("Choose another name.")
            )

    def carry_out(self, context: ActContext) -> None:
        product = Product.objects.get(slug=self.product) if self.product else None
        OutgoingWebhook.objects.create(slug=self.name, format=self.format, product=product)


class OutgoingWebhookAct(Act, frozen=True):
    """An act on one outgoing webhook."""

    actions: ClassVar[tuple[Action, ...]] = (Action.CHANGE_SETTINGS,)

    webhook: WebhookName

    def find_resource(self) -> Resource:
        return ORGANISATION

    def format_subject(self) -> str:
        return f"outgoing-webhook:{self.webhook}"

    def load_webhook(self) -> OutgoingWebhook:
        """Row of the webhook."""
        return OutgoingWebhook.objects.get(slug=self.webhook)


class StoreOutgoingAddress(OutgoingWebhookAct, frozen=True):
    """Store the address and the signing key of an outgoing webhook in the vault. They are in no field of the act."""

    carries_secret: ClassVar[bool] = True
    title: ClassVar[Label] = gettext_lazy("Store address")

    def describe_act(self) -> str:
        return _("store an address of the outgoing webhook %(webhook)s") % {"webhook": self.webhook}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse an incomplete address."""
        self._read_values(context)

    def carry_out(self, context: ActContext) -> None:
        """Begin with the next record, the first time; the vault is last, so that a failure undoes the rest."""
        row = self.load_webhook()
        if row.address_set_at is None:
            row.next_position = find_next_position()
        row.address_set_at, row.problem = timezone.now(), ""
        row.save(update_fields=["address_set_at", "next_position", "problem"])
        with refuse_without_vault():
            addresses.store_address(row, self._read_values(context))

    def _read_values(self, context: ActContext) -> dict[str, str]:
        given = context.secret if isinstance(context.secret, Mapping) else {}
        return addresses.require_valid_address(self.load_webhook().format, given)


class SendTestEvent(OutgoingWebhookAct, frozen=True):
    """Send a test event to an outgoing webhook."""

    title: ClassVar[Label] = gettext_lazy("Send test event")

    def describe_act(self) -> str:
        return _("send a test event to the outgoing webhook %(webhook)s") % {"webhook": self.webhook}

    def check_preconditions(self, context: ActContext) -> None:
        """Refuse while no address is stored."""
        if self.load_webhook().address_set_at is None:
            raise RefusedError("no-address", _("It has no address yet."), _("Store its address first."))

    def carry_out(self, context: ActContext) -> None:
        row, now = self.load_webhook(), timezone.now()
        OutgoingDelivery.objects.create(
            webhook=row,
            identity=f"test-{row.pk}-{int(now.timestamp() * 1000)}",
            event=events.TEST,
            product=row.product,
            link=f"/outgoing-webhooks/{row.slug}",
            happened_at=now,
        )
        enqueue("deliver-outgoing-events", webhook=row.pk)


class EndOutgoingWebhook(OutgoingWebhookAct, frozen=True):
    """End an outgoing webhook: nothing is sent to it any more."""

    title: ClassVar[Label] = gettext_lazy("End outgoing webhook")

    def describe_act(self) -> str:
        return _("end the outgoing webhook %(webhook)s") % {"webhook": self.webhook}

    def carry_out(self, context: ActContext) -> None:
        OutgoingWebhook.objects.filter(slug=self.webhook).update(ended_at=timezone.now())
