"""What workers look after again and again: the dead's work is taken up.

A round runs once in its time, however many workers there are: whichever comes first notes in the database that it
began. Those about files of one machine run in each worker.
"""

import logging
import signal
import time
from collections.abc import Callable
from datetime import timedelta

from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from procrastinate.contrib.django import app

from muniment.server.changes.locations import claim_repositories
from muniment.server.changes.models import ServerHookLog
from muniment.server.deployments.drifting import look_at_vault
from muniment.server.deployments.secret_reads import report_unrecorded_reads
from muniment.server.deployments.tasks import go_on, read_issuers
from muniment.server.incidents.notices import tell_notices
from muniment.server.incidents.refused_records import report_refused_records
from muniment.server.incidents.row_incidents import compare_all_rows, report_row_problems
from muniment.server.people.lapsing import note_lapsed
from muniment.server.people.messages import send_now
from muniment.server.policies.models import PolicySource
from muniment.server.process_signals import SignalPipe
from muniment.server.products.models import FORGE, Repository
from muniment.server.records.models import RoundStart, TaskFailure
from muniment.server.requests.verifying import verify_waiting
from muniment.server.running.supervisor import Channel, Loss
from muniment.server.secrets.fetching import note_fetches
from muniment.server.work import raise_oldest, soon, take_up

_KEEP_HOURS = 24
_LIMIT_SECONDS = 600  # of one round
_LOOKS = 4  # at a round that is not due yet, within its time: another worker may have ended

_log = logging.getLogger("muniment.rounds")


def run_rounds(channel: Channel, losses: tuple[Loss, ...]) -> None:
    """Go the rounds until SIGTERM or SIGINT, each when it is due."""
    signals = SignalPipe((signal.SIGTERM, signal.SIGINT))
    channel.keep_alive()
    due = dict.fromkeys(_ROUNDS, 0.0)
    while not signals.wait(max(0.0, min(due.values()) - time.monotonic())):
        for each, seconds in _ROUNDS.items():
            if time.monotonic() >= due[each]:
                claimed = each in _OF_EACH_WORKER or _claim(each.__name__, seconds)
                due[each] = time.monotonic() + (seconds if claimed else seconds / _LOOKS)
                if not claimed:
                    continue
                channel.begin(0, 0, each.__name__, _LIMIT_SECONDS)
                _go(each)
                channel.end()
    connection.close()


def _claim(name: str, seconds: float) -> bool:
    """Whether a round is to be run by this worker now. By the clock of the database: those of machines differ.

    Where that cannot be asked, it is tried again.
    """
    try:
        interval = timedelta(seconds=seconds)
        over = Q(started_at__lte=Now() - interval) | Q(started_at__gt=Now() + interval)  # that clock was set back
        rows = RoundStart.objects.filter(pk=name)
        if rows.filter(over).update(started_at=Now()):
            return True
        return not rows.exists() and RoundStart.objects.get_or_create(pk=name, defaults={"started_at": Now()})[1]
    except DatabaseError:
        connection.close()
        return False


def _go(each: Callable[[], object]) -> None:
    """One round. What fails is told, and tried again the next time: the process outlives it."""
    try:
        each()
    except Exception:  # noqa: BLE001 -- the outermost edge of a process
        _log.exception("the round %s failed", each.__name__)
        connection.close()
    close_old_connections()


def look_around() -> None:
    """See what is new in every repository that lies here, or nowhere yet."""
    claim_repositories()
    rows = Repository.objects.filter(product__retired_at=None, worker__in=("", settings.WORKER_NAME))
    for number in rows.exclude(path__startswith=FORGE).values_list("pk", flat=True):
        soon("scan-repository", repository=number)
    for number in ServerHookLog.objects.filter(repository__product__retired_at=None).values_list("pk", flat=True):
        soon("import-hook-log", log=number)
    if PolicySource.objects.exists():
        soon("read-policy-source")


def drop_old() -> None:
    """Jobs that came to their end a day ago, and those whose process was ended and that were tried again."""
    async_to_sync(app.job_manager.delete_old_jobs)(nb_hours=_KEEP_HOURS, include_failed=False)
    old = timezone.now() - timedelta(hours=_KEEP_HOURS)
    retried = list(TaskFailure.objects.filter(retried=True, failed_at__lt=old).values_list("job", flat=True))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs WHERE id = ANY(%s) AND status = 'failed'", [retried])
        TaskFailure.objects.filter(job__in=retried).delete()


_ROUNDS: dict[Callable[[], object], float] = {
    take_up: 10,
    raise_oldest: 3,
    look_around: 20,
    go_on: 5,
    read_issuers: 60,
    report_refused_records: 10,
    drop_old: 3600,
    note_lapsed: 60,
    send_now: 300,
    tell_notices: 60,
    look_at_vault: 300,
    note_fetches: 120,
    report_unrecorded_reads: 60,
    report_row_problems: 5,
    compare_all_rows: 3600,
    verify_waiting: 2,
}
_OF_EACH_WORKER = (look_around, note_fetches)  # about repositories and the vault's log on its own machine
