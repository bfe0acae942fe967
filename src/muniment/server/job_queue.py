"""Background jobs: named tasks, enqueued in the transaction of their cause, done once.

Jobs that somebody waits for come before bulk evaluations, and none of those waits for ever: every few seconds the
job that waited longest comes first (`raise_oldest`). One repository never occupies all slots of a worker.

A job is for one object (`about`, such as a change): while it waits, it is not enqueued again, and two of the same
never run at once. A failed job is tried again, with growing delays, and does not delay news about the same object
meanwhile; one that fails to the end stays visible. Jobs of a dead worker move to another
(`requeue_from_dead_workers`).
"""

import functools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from procrastinate import jobs
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.exceptions import AlreadyEnqueued, UniqueViolation

from muniment.errors import MunimentError, UnrecordedTaskError, UsageError
from muniment.http.rate_limits import seconds_until
from muniment.server import telemetry
from muniment.server.database_failures import describe_database_failure
from muniment.server.records.models import TaskFailure
from muniment.server.running_jobs import finish_jobs, list_unfinished_jobs, take_next_jobs
from muniment.server.worker_slot_locks import NoSlotError, hold_slot

TASKS: dict[str, Any] = {}
RunTogether = Callable[[int, Mapping[Any, int]], Iterator[tuple[Any, Exception | None]]]
LIMITS: dict[str, int] = {}  # seconds, by task
SHARING_TASKS: list[str] = []  # tasks about a repository, which may occupy all slots of a worker but one
UNRECORDED: list[
    Callable[[str, dict[str, object]], None]
] = []  # each is called with a task that no recorded act requested
LONG_SECONDS = 3600  # for what reads a whole history, or copies a large repository for the first time
QUEUE = "jobs"

_LIMIT_SECONDS = 600
_ATTEMPTS = 8
_MINUTE = 60
_ATTEMPT, _MOVED = "attempt", "moved"
STALLED_SECONDS = 30.0
# Of tasks with the same lock the queue takes the more urgent one, or else the one that was asked for first.
_PUT_OFF, _BULK, _NEWS, _FIRST, _NEW, _OLDEST = range(6)
_NO_SLOT_SECONDS = 1
_OLD_SECONDS = 30  # after which what waits counts as waiting for long

_log = logging.getLogger("muniment.work")


class OtherWorkerError(Exception):
    """Raised in a task that only another worker can do: the job moves to that worker's queue."""

    def __init__(self, worker: str) -> None:
        super().__init__(f"only the worker {worker} can do it")
        self.worker = worker


def name_worker_queue(worker: str) -> str:
    """Name of the queue of jobs that only one worker can do."""
    return f"{QUEUE}@{worker}"


def register_task(
    name: str, seconds: int = _LIMIT_SECONDS, *, share_slots: bool = False
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function as the task of that name; its process is ended after `seconds`.

    `share_slots`: it is about a `repository`, and leaves a slot to others if that has all but one already.
    """

    def register_function(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run_task(**about: Any) -> None:
            attempt = int(about.pop(_ATTEMPT, 1))
            # The attempt travels in the arguments: a retry is a new job, and the queue counts attempts per job.
            about.pop("timestamp", None)  # of a periodic task
            moved: list[str] = about.pop(_MOVED, [])
            try:
                with telemetry.start_span(f"task {name}", attempt=attempt), hold_slot(about if share_slots else {}):
                    function(**about)
            except Exception as error:  # noqa: BLE001 -- any failure is tried again, and raised in the end
                _handle_failure(name, about, error, attempt, moved)

        LIMITS[name] = seconds
        SHARING_TASKS.extend([name] if share_slots else [])
        TASKS[name] = app.task(name=name, queue=QUEUE)(run_task)
        return function

    return register_function


def register_repository_task(name: str, seconds: int, *, each: str, most: int) -> Callable[[RunTogether], RunTogether]:
    """Register a function as the task of that name, which does up to `most` jobs of one repository together.

    They are its next ones in the order of the queue, so none of another object waits for one that comes after it. A
    job's other argument is `each`; the function is given the repository, and for each of these arguments the job to
    report when it begins with it. It yields each with its failure, if it had one, as soon as it is done, and may take
    `seconds` for it. Slots are shared.
    """

    def register_function(function: RunTogether) -> RunTogether:
        @functools.wraps(function)
        def run_task(**about: Any) -> None:
            attempt, moved = int(about.pop(_ATTEMPT, 1)), about.pop(_MOVED, [])
            left: dict[Any, int] = {about[each]: 0}  # numbers of their jobs, 0 for the one that the queue ends itself
            done: list[int] = []  # that have no failure: they are ended together
            try:
                with telemetry.start_span(f"task {name}", attempt=attempt), hold_slot(about):
                    # A retry is done alone, so that one object that always fails does not fail the others with it again
                    # and again.
                    if attempt == 1:
                        left |= _take_next_jobs(name, about["repository"], each, most - 1)
                    for value, error in function(about["repository"], dict(left)):
                        job = left[value]
                        if not job or error is None:  # the queue ends its own, also if its failure is raised
                            del left[value]
                        if error is not None:
                            _end_job(name, {**about, each: value}, job, error, attempt, moved)
                        elif job:
                            done.append(job)
                        left.pop(value, None)
                    finish_jobs(done)
            # Those that have no failure are ended first: they would otherwise be done once more, with this failure.
            except Exception as error:
                if done:
                    _close_broken_connection(error)
                    finish_jobs(done)
                if not left:
                    raise
                for value, job in sorted(left.items(), key=lambda item: -item[1]):  # the queue's own may raise
                    _end_job(name, {**about, each: value}, job, error, attempt, moved)

        LIMITS[name] = seconds
        SHARING_TASKS.append(name)
        TASKS[name] = app.task(name=name, queue=QUEUE)(run_task)
        return function

    return register_function


def _take_next_jobs(name: str, repository: int, each: str, most: int) -> dict[Any, int]:
    """Take over the next jobs, by the argument `each`. Those that this worker could not end before wait again."""
    for number in list_unfinished_jobs():
        _requeue_job(number)
    return take_next_jobs(name, repository, each, most)


def _close_broken_connection(error: Exception) -> None:
    """Close the database connection, which may be in any state after `error`, unless it is one that we raised."""
    if isinstance(error, MunimentError):
        connection.close_if_unusable_or_obsolete()  # the other jobs of this task go on
    else:
        connection.close()


def _end_job(
    name: str, about: dict[str, object], job: int, error: Exception | None, attempt: int, moved: list[str]
) -> None:
    if error is not None:
        _handle_failure(name, about, error, attempt, moved)
    finish_jobs([job] if job else [])


def _handle_failure(name: str, about: dict[str, object], error: Exception, attempt: int, moved: list[str]) -> None:
    """Have a failed job tried again as its error requires. Raises the error of the last attempt."""
    if isinstance(error, NoSlotError):
        place, retried = f"{_make_key(name, about)}:again", {_ATTEMPT: attempt} if attempt > 1 else {}
        _enqueue_at(name, {**about, **retried}, place, _FIRST, timedelta(seconds=_NO_SLOT_SECONDS))
    elif isinstance(error, OtherWorkerError):
        # A repository that two workers each believe to be with the other would otherwise move for ever.
        if error.worker in moved:
            raise UsageError(
                _("It takes repositories that lie at several workers."),
                _("Let one worker reach them all, or connect their forge."),
            ) from None
        _move_job(name, about, [*moved, settings.WORKER_NAME], error.worker)
    elif isinstance(error, UnrecordedTaskError):  # it is not tried again: no record comes to be later
        _log.error("%s was not done: %s", name, error.message)
        for report in UNRECORDED:
            report(name, about)
    else:
        _close_broken_connection(error)
        # Raised, the queue keeps the job as failed, and a person sees it; a retry would hide it.
        if attempt >= _ATTEMPTS:
            raise error
        _log.warning("%s failed (%s), and is tried again", name, _describe_failure(error))
        wait = seconds_until(getattr(error, "again_at", ""))  # when a rate limit ends
        _enqueue_retry(name, about, attempt + 1, max(2.0 ** (attempt + 1), wait))


def _describe_failure(error: Exception) -> str:
    """Describe why a task failed, for the log: of an error that is no failure of the database, its kind alone."""
    failure = describe_database_failure(error)
    return type(error).__name__ if failure is None else failure.message


def register_periodic_task(name: str, *, every: int) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register a function as the task of that name every so many seconds: once, however many workers there are.

    `every` divides a minute. Missed runs are not repeated.
    """
    cron = f"* * * * * */{every}" if every < _MINUTE else "* * * * *"

    def register_function(function: Callable[[], None]) -> Callable[[], None]:
        register_task(name)(function)
        app.periodic(cron=cron, queueing_lock=name, lock=name, priority=_FIRST)(TASKS[name])
        return function

    return register_function


def enqueue(name: str, **about: Any) -> None:
    """Enqueue the task, if the current transaction commits. A job that waits already is not enqueued twice."""
    _enqueue_ahead(name, about, _NEWS)


def enqueue_in_bulk(name: str, **about: Any) -> None:
    """Enqueue the task after jobs that somebody waits for: for evaluations because of a change that concerns
    everything.
    """
    _enqueue_at(name, about, _make_key(name, about), _BULK)


def enqueue_first(name: str, **about: Any) -> None:
    """Enqueue the task before waiting jobs; if it waits already, it moves up."""
    _enqueue_ahead(name, about, _FIRST)


def enqueue_new(name: str, **about: Any) -> None:
    """Enqueue the task before all others: for a new object that blocks somebody until it was processed once."""
    _enqueue_ahead(name, about, _NEW)


def _enqueue_ahead(name: str, about: dict[str, object], priority: int) -> None:
    # A job that began meanwhile may have read its object before this event: the new one waits behind its lock.
    place = _make_key(name, about)
    with connection.cursor() as cursor:  # most events are about a change that waits already: without a savepoint
        cursor.execute(_IS_AHEAD, [place, priority])
        if cursor.fetchone() is not None:
            return
    if not _enqueue_at(name, about, place, priority):
        with connection.cursor() as cursor:
            cursor.execute(_MOVE_UP, [priority, place, priority])


_IS_AHEAD = "SELECT 1 FROM procrastinate_jobs WHERE queueing_lock = %s AND status = 'todo' AND priority >= %s"
_MOVE_UP = "UPDATE procrastinate_jobs SET priority = %s WHERE queueing_lock = %s AND status = 'todo' AND priority < %s"


def is_job_waiting(name: str, **about: Any) -> bool:
    """Whether a job of the task waits, which begins at once."""
    with connection.cursor() as cursor:
        cursor.execute(_IS_WAITING, [_make_key(name, about)])
        return cursor.fetchone() is not None


def count_waiting_jobs(name: str) -> int:
    """Number of jobs of the task that wait, whatever they are about."""
    return int(ProcrastinateJob.objects.filter(task_name=name, status="todo").count())


_IS_WAITING = "SELECT 1 FROM procrastinate_jobs WHERE queueing_lock = %s AND status = 'todo'"


def raise_oldest() -> None:
    """Run the job that waits longest next, if it waits for long: so none starves behind more urgent ones."""
    with connection.cursor() as cursor:
        cursor.execute(_RAISE_OLDEST, [_OLDEST, QUEUE, _OLDEST, _OLD_SECONDS])


_RAISE_OLDEST = """
    UPDATE procrastinate_jobs SET priority = %s WHERE status = 'todo' AND id = (
        SELECT job.id FROM procrastinate_jobs AS job JOIN procrastinate_events AS event ON event.job_id = job.id
        WHERE job.status = 'todo' AND job.queue_name = %s AND job.priority < %s
            AND (job.scheduled_at IS NULL OR job.scheduled_at <= now())
            AND event.type = 'deferred' AND event.at < now() - make_interval(secs => %s)
        ORDER BY job.id LIMIT 1
    )
"""


def enqueue_in(name: str, seconds: int, **about: Any) -> None:
    """Enqueue the task in `seconds`, in addition to a job that is due at once; once, however often it is requested
    meanwhile.
    """
    _enqueue_at(name, about, f"{_make_key(name, about)}:again", _PUT_OFF, timedelta(seconds=seconds))


def requeue_all() -> None:
    """Requeue jobs that other workers began. For a worker before it starts, while no other is alive."""
    requeue_from_dead_workers(0.0)
    async_to_sync(app.job_manager.prune_stalled_workers)(seconds_since_heartbeat=0.0)


def requeue_from_ended_slot(worker: int, number: int, seconds: int) -> None:
    """Handle the jobs of an ended slot, known to the queue as `worker`, while it ran job `number` (0: none).

    The job failed: it ran longer than `seconds`, or ended the process itself (0). It is tried again by the rule for
    all. Jobs that another worker has requeued meanwhile are left to it.
    """
    with transaction.atomic():
        # Locked, so that a worker that requeues the jobs of dead ones does not take them at the same moment.
        rows = ProcrastinateJob.objects.select_for_update().filter(status="doing", worker_id=worker)
        for row in list(rows):
            if row.pk == number:
                _fail_job(row, seconds)
            else:
                _requeue_job(row.pk)
        async_to_sync(app.job_manager.unregister_worker)(worker)


def _fail_job(row: Any, seconds: int) -> None:
    about = dict(row.args)
    attempt = int(about.pop(_ATTEMPT, 1))
    about.pop(_MOVED, None)
    again = attempt < _ATTEMPTS
    async_to_sync(app.job_manager.finish_job_by_id_async)(job_id=row.pk, status=jobs.Status.FAILED, delete_job=False)
    TaskFailure.objects.update_or_create(
        job=row.pk, defaults={"task": row.task_name, "seconds": seconds, "retried": again}
    )
    if again:
        killed_once = not seconds and attempt == 1  # by whoever it was: it costs no time
        _enqueue_retry(row.task_name, about, attempt + 1, 0.0 if killed_once else 2.0 ** (attempt + 1))


def requeue_from_dead_workers(seconds: float = STALLED_SECONDS) -> None:
    """Requeue jobs of workers that show no sign of life, unless the same job waits again already."""
    stalled = async_to_sync(app.job_manager.get_stalled_jobs)(seconds_since_heartbeat=seconds)
    for job in stalled:
        if job.id is not None:
            _requeue_job(job.id)


def _requeue_job(number: int) -> None:
    """Requeue a job that was begun, unless the same waits again already."""
    try:
        with transaction.atomic():
            app.job_manager.retry_job_by_id(number, retry_at=timezone.now())
    # Two jobs at one place cannot wait: the newer one does the same, so this one is dropped and not lost.
    except UniqueViolation:  # the same waits already, held up by this one
        finish = async_to_sync(app.job_manager.finish_job_by_id_async)
        finish(job_id=number, status=jobs.Status.ABORTED, delete_job=True)


def _move_job(name: str, about: dict[str, object], moved: list[str], worker: str) -> None:
    """Move the job to the queue of another worker, which has to do it itself if it returns to one of `moved`."""
    _enqueue_at(name, {**about, _MOVED: moved}, _make_key(name, about), _NEWS, queue=name_worker_queue(worker))


def move_jobs(repository: int, before: str, worker: str) -> None:
    """Move jobs that wait for a former worker of a repository to the present one."""
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, [name_worker_queue(worker), name_worker_queue(before), str(repository)])


def release_jobs(living: Iterable[str]) -> None:
    """Let any worker do jobs that wait for workers that are gone: otherwise they would block jobs about the same
    object.

    `living` are the names of the workers that showed a sign of life.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _RELEASE, [QUEUE, _MOVED, f"{name_worker_queue('')}%", [name_worker_queue(worker) for worker in living]]
        )


_RELEASE = (
    "UPDATE procrastinate_jobs SET queue_name = %s, args = args - %s "
    "WHERE status = 'todo' AND queue_name LIKE %s AND queue_name <> ALL (%s)"
)
_MOVE = (
    "UPDATE procrastinate_jobs SET queue_name = %s WHERE queue_name = %s AND status = 'todo' "
    "AND args ->> 'repository' = %s"
)


def _enqueue_retry(name: str, about: dict[str, object], attempt: int, seconds: float) -> None:
    """Enqueue a retry at a place of its own in the queue, so that news are not delayed until then."""
    _enqueue_at(
        name, {**about, _ATTEMPT: attempt}, f"{_make_key(name, about)}:again", _PUT_OFF, timedelta(seconds=seconds)
    )


def _enqueue_at(
    name: str, about: dict[str, object], place: str, priority: int, later: timedelta | None = None, queue: str = QUEUE
) -> bool:
    """Enqueue at a place in the queue; whether that was free."""
    # Retries have a place of their own and share the lock: one may wait while news wait, and never runs with them.
    lock = place.removesuffix(":again")
    when = {"schedule_at": timezone.now() + later} if later is not None else {}
    try:
        with transaction.atomic():  # a refused duplicate would break the transaction
            TASKS[name].configure(queueing_lock=place, lock=lock, priority=priority, queue=queue, **when).defer(**about)
    except AlreadyEnqueued:
        return False
    return True


def _make_key(name: str, about: dict[str, object]) -> str:
    """Key of a task's object, with sorted arguments: the database returns a task's arguments in another order."""
    return ":".join([name, *(f"{argument}={about[argument]}" for argument in sorted(about))])
