"""Contributions of the outgoing webhooks."""

from collections.abc import Iterator
from datetime import timedelta

from django.utils.translation import gettext_lazy as _

from muniment.access.actions import Action
from muniment.server.outgoing_webhooks.models import OutgoingDelivery
from muniment.server.outgoing_webhooks.webhook_acts import (
    AddOutgoingWebhook,
    EndOutgoingWebhook,
    SendTestEvent,
    StoreOutgoingAddress,
)
from muniment.server.people.privacy import drop_rows
from muniment.server.registration import AppContributions, MenuEntry, MenuGroup, Metric, RetentionRule

_KEPT = timedelta(days=30)


def measure_deliveries() -> Iterator[Metric]:
    """Events that wait for their delivery."""
    waiting = OutgoingDelivery.objects.filter(next_attempt_at__isnull=False, webhook__ended_at=None).count()
    yield Metric(
        "muniment_outgoing_events_waiting", "Events that wait for their delivery to an outgoing webhook.", waiting
    )


CONTRIBUTIONS = AppContributions(
    urls="muniment.server.outgoing_webhooks.urls",
    api=("muniment.server.outgoing_webhooks.api",),
    acts=(AddOutgoingWebhook, StoreOutgoingAddress, SendTestEvent, EndOutgoingWebhook),
    menu=(
        MenuEntry(MenuGroup.ADMIN, 15, "outgoing-webhooks", _("Outgoing webhooks"), "webhook", Action.SEE_CONNECTIONS),
    ),
    metrics=(measure_deliveries,),
    retention=(
        RetentionRule(
            _("Events that were sent to outgoing webhooks"),
            _("To see what was delivered, for 30 days"),
            "",
            lambda moment: drop_rows(OutgoingDelivery.objects.filter(happened_at__lt=moment - _KEPT)),
        ),
    ),
)
