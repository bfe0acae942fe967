"""Periodic rounds of workers, such as requeueing the jobs of dead workers.

A round runs once in its period, however many workers there are: the first one notes in the database that it began.
Those about files of one machine run in each worker.
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

from muniment.server.changes.models import ServerHookLog
from muniment.server.changes.repository_locations import claim_repositories
from muniment.server.deployments.secret_reads import report_unrecorded_reads
from muniment.server.deployments.tasks import continue_deployments, read_issuers
from muniment.server.deployments.vault_drift import check_vault_drift
from muniment.server.incidents.account_notices import send_account_notices
from muniment.server.incidents.refused_records import report_refused_records
from muniment.server.incidents.row_incidents import compare_all_rows, report_row_problems
from muniment.server.incidents.sign_in_changes import notify_of_sign_in_changes
from muniment.server.job_queue import enqueue, raise_oldest, requeue_from_dead_workers
from muniment.server.people.messages import send_messages_now
from muniment.server.people.role_expiry import record_expired_roles
from muniment.server.policies.models import PolicySource
from muniment.server.policies.state_snapshots import store_snapshots
from muniment.server.process_signals import SignalPipe
from muniment.server.products.models import FORGE, Repository
from muniment.server.products.product_states import rebuild_product_states
from muniment.server.records.models import RoundStart, TaskFailure
from muniment.server.requests.signature_verification import verify_waiting_requests
from muniment.server.requests.unsigned_acts import report_unsigned_acts
from muniment.server.running.worker_supervisor import LostTask, SupervisorChannel
from muniment.server.secrets.secret_reads import store_reads

_KEEP_HOURS = 24
_LIMIT_SECONDS = 600  # of one round
_LOOKS = 4  # at a round that is not due yet, within its time: another worker may have ended

_log = logging.getLogger("muniment.rounds")


def run_rounds(channel: SupervisorChannel, losses: tuple[LostTask, ...]) -> None:
    """Run the rounds until SIGTERM or SIGINT, each when it is due."""
    signals = SignalPipe((signal.SIGTERM, signal.SIGINT))
    channel.start_heartbeat()
    due = dict.fromkeys(_ROUNDS, 0.0)
    while not signals.wait_for_signals(max(0.0, min(due.values()) - time.monotonic())):
        for each, seconds in _ROUNDS.items():
            if time.monotonic() >= due[each]:
                claimed = each in _OF_EACH_WORKER or _claim_round(each.__name__, seconds)
                due[each] = time.monotonic() + (seconds if claimed else seconds / _LOOKS)
                if not claimed:
                    continue
                channel.report_begin(0, 0, each.__name__, _LIMIT_SECONDS)
                _run_round(each)
                channel.report_end()
    connection.close()


def _claim_round(name: str, seconds: float) -> bool:
    """Whether a round is to be run by this worker now. By the clock of the database: those of machines differ.

    Where the database cannot be read, it is tried again.
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


def _run_round(each: Callable[[], object]) -> None:
    """Run one round. A failure is logged, and tried again the next time: the process outlives it."""
    try:
        each()
    except Exception:  # noqa: BLE001 -- the outermost edge of a process
        _log.exception("the round %s failed", each.__name__)
        connection.close()
    close_old_connections()


def scan_repositories() -> None:
    """Scan every repository that is here, or nowhere yet, for news."""
    claim_repositories()
    rows = Repository.objects.filter(product__retired_at=None, worker__in=("", settings.WORKER_NAME))
    for number in rows.exclude(path__startswith=FORGE).values_list("pk", flat=True):
        enqueue("scan-repository", repository=number)
    for number in ServerHookLog.objects.filter(repository__product__retired_at=None).values_list("pk", flat=True):
        enqueue("import-hook-log", log=number)
    if PolicySource.objects.exists():
        enqueue("read-policy-source")


def delete_old_jobs() -> None:
    """Delete jobs that ended a day ago, and those whose process was ended and that were tried again."""
    async_to_sync(app.job_manager.delete_old_jobs)(nb_hours=_KEEP_HOURS, include_failed=False)
    old = timezone.now() - timedelta(hours=_KEEP_HOURS)
    retried = list(TaskFailure.objects.filter(retried=True, failed_at__lt=old).values_list("job", flat=True))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs WHERE id = ANY(%s) AND status = 'failed'", [retried])
        TaskFailure.objects.filter(job__in=retried).delete()


def store_state_figures() -> None:
    """Store this week's figures. First each product's states are compared with those of its repositories."""
    differing = rebuild_product_states()
    if differing:
        _log.error("%d stored states of products differed from those of their repositories", differing)
    store_snapshots()


_ROUNDS: dict[Callable[[], object], float] = {
    requeue_from_dead_workers: 10,
    raise_oldest: 3,
    scan_repositories: 20,
    continue_deployments: 5,
    read_issuers: 60,
    report_refused_records: 10,
    delete_old_jobs: 3600,
    record_expired_roles: 60,
    send_messages_now: 300,
    send_account_notices: 60,
    notify_of_sign_in_changes: 60,
    check_vault_drift: 300,
    store_reads: 120,
    report_unrecorded_reads: 60,
    report_row_problems: 5,
    compare_all_rows: 3600,
    store_state_figures: 3600,
    verify_waiting_requests: 2,
    report_unsigned_acts: 30,
}
_OF_EACH_WORKER = (scan_repositories, store_reads)  # about repositories and the vault's log on its own machine
