"""Lists new events for each outgoing webhook, and delivers them: at least once, with retries that end.

An event that was not delivered is tried again after each pause of `PAUSES`, about a day altogether, and then given up.
Another attempt has the same id, so that a receiver can leave out what it has. Events may arrive in another order.
"""

import logging
import time
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Min
from django.utils import timezone
from django.utils.translation import gettext as _

from muniment.errors import HttpError, MunimentError, VaultError
from muniment.http.client import send_request
from muniment.server.job_queue import enqueue, enqueue_in
from muniment.server.outgoing_webhooks import addresses
from muniment.server.outgoing_webhooks.events import OutgoingEvent, list_record_events
from muniment.server.outgoing_webhooks.messages import OutgoingMessage, encode_message
from muniment.server.outgoing_webhooks.models import OutgoingDelivery, OutgoingWebhook
from muniment.server.outgoing_webhooks.standard_webhooks import read_signing_key, sign_delivery
from muniment.server.records.models import RecordPosition

PAUSES = tuple(timedelta(seconds=each) for each in (10, 60, 300, 1800, 7200, 18_000, 36_000))
_SECONDS = 15.0
_LARGEST = 64 << 10  # bytes of an answer
_AT_ONCE = 500  # records that are read for events together
_DUE_AT_ONCE = 50
_GONE = 410
_log = logging.getLogger("muniment.outgoing_webhooks")


def collect_events() -> None:
    """List the events of the records since the last time, for each webhook, and have them delivered."""
    if settings.DEMONSTRATION:
        return
    active = OutgoingWebhook.objects.filter(ended_at=None, address_set_at__isnull=False)
    first = active.aggregate(first=Min("next_position"))["first"]
    if first is None:
        return
    places = RecordPosition.objects.filter(position__gte=first).order_by("position").select_related("record")
    rows = list(places[:_AT_ONCE])
    if rows:
        listed = list_record_events([row.record for row in rows])
        positions = {f"record-{row.record_id}": int(row.position or 0) for row in rows}
        end = int(rows[-1].position or 0) + 1
        for webhook in active.filter(next_position__lt=end):
            _store_events(webhook, [each for each in listed if positions[each.identity] >= webhook.next_position], end)
    now = timezone.now()
    due = OutgoingDelivery.objects.filter(webhook__in=active, next_attempt_at__lte=now)
    for number in due.order_by().values_list("webhook", flat=True).distinct():
        enqueue("deliver-outgoing-events", webhook=number)


def _store_events(webhook: OutgoingWebhook, listed: Iterable[OutgoingEvent], end: int) -> None:
    """Store the events that are the webhook's, and up to where they are listed, in one transaction."""
    wanted = [each for each in listed if webhook.product_id in (None, each.product)]
    with transaction.atomic():
        OutgoingDelivery.objects.bulk_create([_make_delivery(webhook, each) for each in wanted], ignore_conflicts=True)
        OutgoingWebhook.objects.filter(pk=webhook.pk).update(next_position=end)


def _make_delivery(webhook: OutgoingWebhook, event: OutgoingEvent) -> OutgoingDelivery:
    return OutgoingDelivery(
        webhook=webhook,
        identity=event.identity,
        event=event.event,
        product_id=event.product,
        link=event.link,
        details=dict(event.details),
        happened_at=event.happened_at,
    )


def deliver_due(webhook: OutgoingWebhook) -> None:
    """Send what is due for a webhook, oldest first. It ends at the first that the receiver does not take."""
    now = timezone.now()
    rows = list(webhook.deliveries.filter(next_attempt_at__lte=now).select_related("product").order_by("pk"))
    if not rows:
        return
    try:
        url, key = addresses.read_address(webhook)
    except VaultError as error:
        _note_problem(webhook, error.message)
        enqueue_in("deliver-outgoing-events", 60, webhook=webhook.pk)
        return
    for row in rows[:_DUE_AT_ONCE]:
        problem, final = _send_delivery(webhook, row, url, key)
        _store_attempt(row, problem, timezone.now(), final=final)
        _note_problem(webhook, problem)
        if problem:
            return
    if len(rows) > _DUE_AT_ONCE:
        enqueue_in("deliver-outgoing-events", 1, webhook=webhook.pk)


def _send_delivery(webhook: OutgoingWebhook, row: OutgoingDelivery, url: str, key: str) -> tuple[str, bool]:
    """Send one event: what went wrong, "" for nothing, and whether another attempt is of no use.

    No redirect is followed, and no internal network is reached: whoever may add a webhook may not read what only this
    machine reaches. The answer is not shown to anybody either.
    """
    product = (row.product.slug, row.product.name) if row.product is not None else None
    message = OutgoingMessage(
        *(row.identity, row.event, str(settings.URL), row.link, product, row.details, row.happened_at)
    )
    body, kind = encode_message(message, webhook.format)
    headers = {"Content-Type": kind}
    try:
        if key:
            headers |= sign_delivery(read_signing_key(key), row.identity, int(time.time()), body)
        networks = settings.OUTGOING_NETWORKS
        answer = send_request("POST", url, body, headers, seconds=_SECONDS, largest=_LARGEST, networks=networks)
    except HttpError as error:
        return _describe_failure(error), False
    except MunimentError as error:  # of a key that an earlier version took
        return error.message, False
    if 200 <= answer.status < 300:
        return "", False
    if answer.status == _GONE:
        return _("The receiver says that the address is gone (410)."), True
    return _("The receiver answered with status %(status)d.") % {"status": answer.status}, False


def _describe_failure(error: HttpError) -> str:
    """Describe a failure by its kind: a message of the client has the host, which is part of the secret address."""
    return _("The receiver could not be reached (%(code)s).") % {"code": error.code.value}


def _store_attempt(row: OutgoingDelivery, problem: str, now: datetime, *, final: bool) -> None:
    row.attempts += 1
    row.problem = problem[:200]
    if not problem:
        row.delivered_at, row.next_attempt_at = now, None
    elif final or row.attempts > len(PAUSES):
        row.next_attempt_at = None
        _log.warning("an event for the outgoing webhook %s was given up", row.webhook_id)
    else:
        row.next_attempt_at = now + PAUSES[row.attempts - 1]
    row.save(update_fields=["attempts", "problem", "delivered_at", "next_attempt_at"])


def _note_problem(webhook: OutgoingWebhook, problem: str) -> None:
    changes: dict[str, object] = {"problem": problem}
    if not problem:
        changes["delivered_at"] = timezone.now()
    OutgoingWebhook.objects.filter(pk=webhook.pk).update(**changes)


def find_next_position() -> int:
    """Position of the record that comes next: a new webhook gets nothing of what was before."""
    last = RecordPosition.objects.aggregate(last=Max("position"))["last"]
    return 0 if last is None else int(last) + 1
