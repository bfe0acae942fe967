"""Outgoing webhooks, as programs see them: the events of each, and whether they were delivered."""

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router

from muniment.access.actions import Action
from muniment.server.acts.schemas import build_body_schema
from muniment.server.api_operations import Cursor, for_action, page_by_number, run_act
from muniment.server.outgoing_webhooks.models import OutgoingDelivery, OutgoingWebhook
from muniment.server.outgoing_webhooks.webhook_acts import AddOutgoingWebhook, EndOutgoingWebhook, SendTestEvent

router = Router()

WebhookBody = build_body_schema(AddOutgoingWebhook)  # a type that is made at run time, from the fields of the act


@router.get("/outgoing-webhooks")
@for_action(Action.SEE_CONNECTIONS)
def get_outgoing_webhooks(request: HttpRequest, cursor: Query[Cursor]) -> dict[str, object]:
    """The outgoing webhooks that are not ended. Nobody is shown an address."""
    rows = OutgoingWebhook.objects.filter(ended_at=None).select_related("product")
    return page_by_number(rows, cursor, _serialize_webhook)


@router.get("/outgoing-webhooks/{slug}/deliveries")
@for_action(Action.SEE_CONNECTIONS)
def get_outgoing_deliveries(request: HttpRequest, slug: str, cursor: Query[Cursor]) -> dict[str, object]:
    """The events of an outgoing webhook, delivered or waiting."""
    webhook = get_object_or_404(OutgoingWebhook, slug=slug, ended_at=None)
    return page_by_number(webhook.deliveries.select_related("product"), cursor, _serialize_delivery)


@router.post("/outgoing-webhooks")
@for_action(Action.CHANGE_SETTINGS)
def create_outgoing_webhook(request: HttpRequest, body: WebhookBody) -> dict[str, object]:  # type: ignore[valid-type]
    """Add an outgoing webhook. Its address is stored from its page alone."""
    return run_act(request, AddOutgoingWebhook, {})


@router.post("/outgoing-webhooks/{slug}/test")
@for_action(Action.CHANGE_SETTINGS)
def create_test_event(request: HttpRequest, slug: str) -> dict[str, object]:
    """Send a test event to an outgoing webhook."""
    return run_act(request, SendTestEvent, {"webhook": slug})


@router.post("/outgoing-webhooks/{slug}/end")
@for_action(Action.CHANGE_SETTINGS)
def stop_outgoing_webhook(request: HttpRequest, slug: str) -> dict[str, object]:
    """End an outgoing webhook: nothing is sent to it any more."""
    return run_act(request, EndOutgoingWebhook, {"webhook": slug})


def _serialize_webhook(row: OutgoingWebhook) -> dict[str, object]:
    return {
        "name": row.slug,
        "format": row.format,
        "product": row.product.slug if row.product is not None else None,
        "address_set_at": row.address_set_at.isoformat() if row.address_set_at else None,
        "delivered_at": row.delivered_at.isoformat() if row.delivered_at else None,
        "problem": row.problem,
    }


def _serialize_delivery(row: OutgoingDelivery) -> dict[str, object]:
    return {
        "id": row.identity,
        "event": row.event,
        "product": row.product.slug if row.product is not None else None,
        "link": row.link,
        "details": row.details,
        "happened_at": row.happened_at.isoformat(),
        "attempts": row.attempts,
        "delivered_at": row.delivered_at.isoformat() if row.delivered_at else None,
        "next_attempt_at": row.next_attempt_at.isoformat() if row.next_attempt_at else None,
        "problem": row.problem,
    }
