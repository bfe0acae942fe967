"""Background jobs of outgoing webhooks."""

from muniment.server.job_queue import register_periodic_task, register_task
from muniment.server.outgoing_webhooks import delivery
from muniment.server.outgoing_webhooks.models import OutgoingWebhook

_EVERY = 5  # seconds


@register_periodic_task("collect-outgoing-events", every=_EVERY)
def collect_outgoing_events() -> None:
    """List the events of new records, and enqueue the deliveries that are due."""
    delivery.collect_events()


@register_task("deliver-outgoing-events")
def deliver_outgoing_events(webhook: int) -> None:
    """Send the due events of an outgoing webhook."""
    found = OutgoingWebhook.objects.filter(pk=webhook, ended_at=None, address_set_at__isnull=False).first()
    if found is not None:
        delivery.deliver_due(found)
