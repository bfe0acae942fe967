"""Hears what forges tell: nothing is parsed that is not signed, and nothing is done before it is kept.

A delivery is a hint. What is kept of it are ids; the answer comes once they are, and the work after that. The same
delivery, or the same bytes under another name, are taken once.
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
from muniment.forges.events import Event, Happened
from muniment.forges.statuses import OURS
from muniment.server.changes.again import read_again, verify_statuses
from muniment.server.connections.keeping import with_green
from muniment.server.connections.models import Connection, RepositoryLink, WebhookDelivery
from muniment.server.connections.reaching import listener_of
from muniment.server.guarding.keys import hook_secret
from muniment.server.work import first, later, soon

LARGEST = 2 << 20  # bytes of a delivery; GitHub cuts its own off at 25 MB, of which we would read three numbers

_LAG_SECONDS = 10  # after which a forge's own copies surely have what it told of


def secret_of(connection: Connection) -> str:
    """What its deliveries are signed with. Raises StoreError."""
    return hook_secret(Path(settings.HOME), connection.slug, connection.webhook_secret_version)


def mark(connection: Connection) -> str:
    """Which secret that is, without saying anything of it."""
    return hashlib.sha256(secret_of(connection).encode()).hexdigest()[:16]


def address(connection: Connection) -> str:
    """Where a forge sends its deliveries."""
    return f"{settings.URL.rstrip('/')}/webhooks/{connection.slug}"


@csrf_exempt
@require_POST
def hear(request: HttpRequest, slug: str) -> HttpResponse:
    """Take one delivery. A stranger learns nothing, not even which connections there are."""
    length = request.headers.get("Content-Length", "")
    if not length.isascii() or not length.isdigit() or int(length) > LARGEST:
        return HttpResponse("It is too large.", status=413)
    connection = Connection.objects.filter(slug=slug, ended_at=None).first()
    body, headers = request.read(LARGEST + 1), {name.lower(): value for name, value in request.headers.items()}
    if connection is None or len(body) > LARGEST or not _genuine(connection, headers, body):
        return HttpResponse("It is not signed as agreed.", status=401)
    try:
        event = listener_of(connection.vendor).heard(headers, body)
    except ForgeError:
        event = Event(_name(headers, body), Happened.REPOSITORY)  # signed, and not understood: everything is read again
    return _kept(connection, event, body)


def _genuine(connection: Connection, headers: Mapping[str, str], body: bytes) -> bool:
    try:
        return listener_of(connection.vendor).genuine(secret_of(connection), headers, body)
    except UsageError:  # a vendor whose deliveries nobody here understands
        return False


def _name(headers: Mapping[str, str], body: bytes) -> str:
    return headers.get("x-request-id", "") or canonical.digest(body)


def _kept(connection: Connection, event: Event, body: bytes) -> HttpResponse:
    try:
        with transaction.atomic():
            WebhookDelivery.objects.create(
                connection=connection,
                delivery_id=(event.delivery or canonical.digest(body))[:100],
                digest=canonical.digest(body),
                event=event.happened.value,
                forge_id=event.repository_id,
                number=event.number,
                head=event.head,
                forge_updated_at=event.updated,
            )
            enqueue(connection, event)
    except IntegrityError:
        return HttpResponse("It was taken before.", status=200)
    return HttpResponse("It is looked at.", status=202)


def enqueue(connection: Connection, event: Event) -> None:
    """Put off what an event asks for, once for each thing."""
    if event.happened is Happened.REPOSITORY:
        soon("list-repositories", connection=connection.pk)
    found = RepositoryLink.objects.filter(connection=connection, repository__product__retired_at=None)
    if event.repository_id:
        found = found.filter(forge_id=event.repository_id)
    elif event.happened is not Happened.REPOSITORY:
        found = found.filter(path__iexact=event.repository)
    if event.happened is Happened.RULES and not (event.repository or event.repository_id):
        for repository in with_green(connection).values_list("repository", flat=True):
            _probe(repository)  # a person's access to the organisation: it concerns no rule of a branch
        return
    for repository in found.values_list("repository", flat=True):
        match event.happened:
            case Happened.CHANGE | Happened.ASKED:
                read_again(repository, event.number)
            case Happened.GROUP if event.head and event.ref:
                soon("read-merge-group", repository=repository, target=event.ref, head=event.head)
            case Happened.BRANCH:
                soon("read-branch-updates", repository=repository)
            case Happened.RULES:
                soon("read-branch-rules", repository=repository)
                _probe(repository)
            case Happened.STATUS if event.head:
                verify_statuses(repository, event.head)
                if not event.context.startswith(OURS):  # the forge may answer from a copy that is a little behind
                    later("verify-statuses", _LAG_SECONDS, repository=repository, head=event.head)
            case Happened.REPOSITORY:
                soon("reconcile-repository", repository=repository)
            case Happened.GROUP | Happened.STATUS | Happened.NOTHING:
                pass


def _probe(repository: int) -> None:
    """Have it read at once who may write there, and once more when the forge's own copies surely have it."""
    first("probe-repository", repository=repository)
    later("probe-repository", _LAG_SECONDS, repository=repository)
