"""Health checks for a supervisor: whether this process answers, and whether the service works."""

import shutil
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest, JsonResponse
from django.utils import timezone

from muniment.server.records.models import LedgerHead

LEAST_BYTES = 200 << 20  # free on a disk: with less, a database may record nothing any more
_SILENCE = timedelta(seconds=60)
_ALIVE = """
    SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '60 seconds'
"""


@transaction.non_atomic_requests  # it answers without a database
def check_health(request: HttpRequest) -> JsonResponse:
    """Report that this process answers."""
    return JsonResponse({"status": "ok"})


def has_space(folder: Path) -> bool:
    """Whether the disk below a folder has room for what is recorded; False where that cannot be read."""
    try:
        return shutil.disk_usage(folder).free >= LEAST_BYTES
    except OSError:
        return False


def count_live_workers() -> int:
    """Number of workers that have shown a sign of life within a minute. Raises Django's DatabaseError."""
    with connection.cursor() as cursor:
        cursor.execute(_ALIVE)
        (workers,) = cursor.fetchone() or (0,)
    return int(workers)


def is_sequencer_alive() -> bool:
    """Whether a sequencer has placed all that waited within a minute. Raises Django's DatabaseError."""
    return LedgerHead.objects.filter(sequencer_alive_at__gt=timezone.now() - _SILENCE).exists()


@transaction.non_atomic_requests  # and this one says that there is none
def check_readiness(request: HttpRequest) -> JsonResponse:
    """Report whether the database answers, the disk has space, and a worker and the sequencer have shown signs of
    life.

    503 and the missing part if not.
    """
    try:
        workers, sequencer = count_live_workers(), is_sequencer_alive()
    except DatabaseError:
        return JsonResponse({"status": "no", "missing": "database"}, status=503)
    if not has_space(Path(settings.HOME)):
        return JsonResponse({"status": "no", "missing": "disk space"}, status=503)
    if not workers:
        return JsonResponse({"status": "no", "missing": "worker"}, status=503)
    if not sequencer:
        return JsonResponse({"status": "no", "missing": "sequencer"}, status=503)
    return JsonResponse({"status": "ok"})
