"""Receives webhook deliveries: only signed ones are parsed, and each is stored before it has an effect.

A delivery is a hint. Only its ids are stored; the response is sent once they are, and the work follows. The same
delivery, or the same bytes under another id, are processed once.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from muniment.errors import ForgeError, UsageError
from muniment.facts import canonical
from muniment.forges.events import ForgeEvent, ForgeEventKind
from muniment.forges.statuses import CONTEXT_PREFIX
from muniment.server.changes.reevaluation_requests import request_reading, request_status_check
from muniment.server.connections.forge_access import find_listener
from muniment.server.connections.forge_change_store import list_green_repositories
from muniment.server.connections.models import Connection, RepositoryLink, WebhookDelivery
from muniment.server.connections.observed_pushes import note_delivered_push
from muniment.server.guarding.home_keys import derive_hook_secret
from muniment.server.job_queue import enqueue, enqueue_first, enqueue_in

LARGEST_DELIVERY = (
    2 << 20
)  # bytes of a delivery; GitHub cuts its own off at 25 MB, of which we would read three numbers

_LAG_SECONDS = 10  # after which all replicas of a forge have what a delivery announced


def find_webhook_secret(connection: Connection) -> str:
    """Secret that signs the connection's deliveries. Raises StoreError."""
    return derive_hook_secret(Path(settings.HOME), connection.slug, connection.webhook_secret_version)


def fingerprint_secret(connection: Connection) -> str:
    """Fingerprint of the secret, which reveals nothing of it."""
    return hashlib.sha256(find_webhook_secret(connection).encode()).hexdigest()[:16]


def build_webhook_url(connection: Connection) -> str:
    """Address to which a forge sends its deliveries."""
    return f"{settings.URL.rstrip('/')}/webhooks/{connection.slug}"


@csrf_exempt
@require_POST
def receive_delivery(request: HttpRequest, slug: str) -> HttpResponse:
    """Receive one delivery. A stranger learns nothing, not even which connections exist."""
    length = request.headers.get("Content-Length", "")
    if not length.isascii() or not length.isdigit() or int(length) > LARGEST_DELIVERY:
        return HttpResponse("It is too large.", status=413)
    connection = Connection.objects.filter(slug=slug, ended_at=None).first()
    body, headers = request.read(LARGEST_DELIVERY + 1), {name.lower(): value for name, value in request.headers.items()}
    if connection is None or len(body) > LARGEST_DELIVERY or not _is_genuine(connection, headers, body):
        return HttpResponse("It is not signed as agreed.", status=401)
    try:
        event = find_listener(connection.vendor).parse_event(headers, body)
    except ForgeError:
        event = ForgeEvent(
            _name_delivery(headers, body), ForgeEventKind.REPOSITORY
        )  # signed, and not understood: everything is read again
    return _store_delivery(connection, event, body)


def _is_genuine(connection: Connection, headers: Mapping[str, str], body: bytes) -> bool:
    try:
        return find_listener(connection.vendor).is_genuine(find_webhook_secret(connection), headers, body)
    except UsageError:  # a vendor whose deliveries nobody here understands
        return False


def _name_delivery(headers: Mapping[str, str], body: bytes) -> str:
    return headers.get("x-request-id", "") or canonical.digest_bytes(body)


def _store_delivery(connection: Connection, event: ForgeEvent, body: bytes) -> HttpResponse:
    try:
        with transaction.atomic():
            WebhookDelivery.objects.create(
                connection=connection,
                delivery_id=(event.delivery or canonical.digest_bytes(body))[:100],
                digest=canonical.digest_bytes(body),
                event=event.kind.value,
                forge_id=event.repository_id,
                number=event.number,
                head=event.head,
                forge_updated_at=event.updated,
            )
            enqueue_event_jobs(connection, event)
    except IntegrityError:
        return HttpResponse("It was taken before.", status=200)
    return HttpResponse("It is looked at.", status=202)


def enqueue_event_jobs(connection: Connection, event: ForgeEvent) -> None:
    """Enqueue the jobs that an event requires, once for each object."""
    if event.kind is ForgeEventKind.REPOSITORY:
        enqueue("list-repositories", connection=connection.pk)
    found = RepositoryLink.objects.filter(connection=connection, repository__product__retired_at=None)
    if event.repository_id:
        found = found.filter(forge_id=event.repository_id)
    elif event.kind is not ForgeEventKind.REPOSITORY:
        found = found.filter(path__iexact=event.repository)
    if event.kind is ForgeEventKind.RULES and not (event.repository or event.repository_id):
        for repository in list_green_repositories(connection).values_list("repository", flat=True):
            _enqueue_probes(repository)  # a person's access to the organisation: it concerns no rule of a branch
        return
    for repository in found.values_list("repository", flat=True):
        match event.kind:
            case ForgeEventKind.CHANGE | ForgeEventKind.ASKED:
                request_reading(repository, event.number)
            case ForgeEventKind.GROUP if event.head and event.ref:
                enqueue("read-merge-group", repository=repository, target=event.ref, head=event.head)
            case ForgeEventKind.BRANCH:
                note_delivered_push(repository, connection.vendor, event)
                enqueue("read-branch-updates", repository=repository)
            case ForgeEventKind.RULES:
                enqueue("read-branch-rules", repository=repository)
                _enqueue_probes(repository)
            case ForgeEventKind.STATUS if event.head:
                request_status_check(repository, event.head)
                if not event.context.startswith(
                    CONTEXT_PREFIX
                ):  # the forge may answer from a copy that is a little behind
                    enqueue_in("verify-statuses", _LAG_SECONDS, repository=repository, head=event.head)
            case ForgeEventKind.REPOSITORY:
                enqueue("reconcile-repository", repository=repository)
            case ForgeEventKind.GROUP | ForgeEventKind.STATUS | ForgeEventKind.NOTHING:
                pass


def _enqueue_probes(repository: int) -> None:
    """Enqueue a probe of the write access now, and another once the forge's own caches surely have the change."""
    enqueue_first("probe-repository", repository=repository)
    enqueue_in("probe-repository", _LAG_SECONDS, repository=repository)
