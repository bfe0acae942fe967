"""Work in the background: named tasks, put off in the transaction of what caused them, done once.

What somebody waits for goes before what is evaluated anew in bulk, and of that nothing waits for ever: every few
seconds what waited longest goes first (`raise_oldest`). One repository never has all slots of a worker.

A task is for one thing (`about`, such as a change): while it waits, asking for it again adds nothing, and two of the
same never run at once. What fails is tried again, later each time, and holds up no news about the same meanwhile; what
fails to the end stays, to be seen. A worker that dies leaves what it had begun to another (`take_up`).
"""

import contextlib
import functools
import logging
import os
from collections.abc import Callable, Iterable, Iterator
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

from muniment.errors import UnrecordedTaskError, UsageError
from muniment.http.rate_limits import seconds_until
from muniment.server import telemetry
from muniment.server.records.models import TaskFailure

TASKS: dict[str, Any] = {}
LIMITS: dict[str, int] = {}  # seconds, by task
UNRECORDED: list[Callable[[str, dict[str, Any]], None]] = []  # each is told of a task that no recorded act asked for
LONG_SECONDS = 3600  # for what reads a whole history, or copies a large repository for the first time
QUEUE = "jobs"

_LIMIT_SECONDS = 600
_ATTEMPTS = 8
_MINUTE = 60
_ATTEMPT, _MOVED = "attempt", "moved"
_STALLED_SECONDS = 30.0
# Of tasks with the same lock the queue takes the more urgent one, or else the one that was asked for first.
_PUT_OFF, _BULK, _NEWS, _FIRST, _NEW, _OLDEST = range(6)
SLOTS = "MUNIMENT_SLOTS"  # in the environment of a worker: how many tasks it does at a time
_FEWEST_SHARED = 2  # slots of a worker, below which there is nothing to share
_SLOT_LOCKS = 0x6D756E00  # the first of the advisory locks of slots
_NO_SLOT_SECONDS = 1
_OLD_SECONDS = 30  # after which what waits counts as waiting for long

_log = logging.getLogger("muniment.work")


class OtherWorker(Exception):
    """Raised in a task that only another worker can do: it moves to the queue of that one."""

    def __init__(self, worker: str) -> None:
        super().__init__(f"only the worker {worker} can do it")
        self.worker = worker


def queue_of(worker: str) -> str:
    """The queue of what only one worker can do."""
    return f"{QUEUE}@{worker}"


def task(
    name: str, seconds: int = _LIMIT_SECONDS, *, share_slots: bool = False
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Marks a function as what does the task of that name, which is ended if it takes longer than `seconds`.

    `share_slots`: it is about a `repository`, and leaves a slot to others if the same has all but one already.
    """

    def mark(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def tried(**about: Any) -> None:
            attempt = int(about.pop(_ATTEMPT, 1))
            about.pop("timestamp", None)  # of a periodic task
            moved: list[str] = about.pop(_MOVED, [])
            try:
                with telemetry.span(f"task {name}", attempt=attempt), _slot_for(about if share_slots else {}):
                    function(**about)
            except NoSlotError:
                place, retried = f"{_key(name, about)}:again", {_ATTEMPT: attempt} if attempt > 1 else {}
                _defer(name, {**about, **retried}, place, _FIRST, timedelta(seconds=_NO_SLOT_SECONDS))
            except OtherWorker as other:
                if other.worker in moved:
                    raise UsageError(
                        _("It takes repositories that lie at several workers."),
                        _("Let one worker reach them all, or connect their forge."),
                    ) from None
                _move(name, about, [*moved, settings.WORKER_NAME], other.worker)
            except UnrecordedTaskError as error:  # it is not tried again: no record comes to be later
                _log.error("%s was not done: %s", name, error.message)
                for report in UNRECORDED:
                    report(name, about)
            except Exception as error:
                connection.close()
                if attempt >= _ATTEMPTS:
                    raise
                _log.warning("%s failed (%s), and is tried again", name, type(error).__name__)
                wait = seconds_until(getattr(error, "again_at", ""))  # when a rate limit ends
                _put_off(name, about, attempt + 1, max(2.0 ** (attempt + 1), wait))

        LIMITS[name] = seconds
        TASKS[name] = app.task(name=name, queue=QUEUE)(tried)
        return function

    return mark


class NoSlotError(Exception):
    """One repository has so many slots of a worker already that it would have all of them."""


@contextlib.contextmanager
def _slot_for(about: dict[str, Any]) -> Iterator[None]:
    """One of the slots that a repository may have on this database, by a lock that ends with this connection."""
    repository, slots = about.get("repository"), int(os.environ.get(SLOTS, 0))
    if repository is None or slots < _FEWEST_SHARED:
        yield
        return
    with connection.cursor() as cursor:
        key = next((key for key in range(slots - 1) if _locked(cursor, repository, key)), None)
    if key is None:
        raise NoSlotError
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_SLOT_LOCKS + key, repository])


def _locked(cursor: Any, repository: int, key: int) -> bool:
    cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_SLOT_LOCKS + key, repository])
    return bool(cursor.fetchone()[0])


def periodic(name: str, *, every: int) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Marks a function as what does the task of that name every so many seconds: once, however many workers there are.

    `every` divides a minute. What is missed is not made up for.
    """
    cron = f"* * * * * */{every}" if every < _MINUTE else "* * * * *"

    def mark(function: Callable[[], None]) -> Callable[[], None]:
        task(name)(function)
        app.periodic(cron=cron, queueing_lock=name, lock=name, priority=_FIRST)(TASKS[name])
        return function

    return mark


def soon(name: str, **about: Any) -> None:
    """Have it done, if the transaction under way comes to its end. What already waits is not put there twice."""
    _enqueue_ahead(name, about, _NEWS)


def in_bulk(name: str, **about: Any) -> None:
    """The same after what somebody waits for: for what is evaluated anew because something concerns everything."""
    _defer(name, about, _key(name, about), _BULK)


def first(name: str, **about: Any) -> None:
    """The same before what waits for its turn; if it waits already, it moves up."""
    _enqueue_ahead(name, about, _FIRST)


def newest(name: str, **about: Any) -> None:
    """The same before even that: for what is new, and blocks somebody until it is done for the first time."""
    _enqueue_ahead(name, about, _NEW)


def _enqueue_ahead(name: str, about: dict[str, Any], priority: int) -> None:
    place = _key(name, about)
    if not _defer(name, about, place, priority):
        with connection.cursor() as cursor:
            cursor.execute(_MOVE_UP, [priority, place, priority])


_MOVE_UP = "UPDATE procrastinate_jobs SET priority = %s WHERE queueing_lock = %s AND status = 'todo' AND priority < %s"


def raise_oldest() -> None:
    """Have the task that waits longest done next, if it waits for long: so none starves behind more urgent ones."""
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


def later(name: str, seconds: int, **about: Any) -> None:
    """The same in a while, beside what waits to be done at once: once, however often it is asked for meanwhile."""
    _defer(name, about, f"{_key(name, about)}:again", _PUT_OFF, timedelta(seconds=seconds))


def take_over() -> None:
    """For a worker before it begins, while no other lives: what others had begun is not waited for."""
    take_up(0.0)
    async_to_sync(app.job_manager.prune_stalled_workers)(seconds_since_heartbeat=0.0)


def settle(worker: int, number: int, seconds: int) -> None:
    """See to what a slot left that was ended, known to the queue as `worker`, while it did the job `number` (0: none).

    The job failed: it ran longer than `seconds`, or ended the process itself (0). It is tried again by the rule for
    all. What another has taken up meanwhile is left to it.
    """
    with transaction.atomic():
        rows = ProcrastinateJob.objects.select_for_update().filter(status="doing", worker_id=worker)
        for row in list(rows):
            if row.pk == number:
                _fail(row, seconds)
            else:
                _requeue(row.pk)
        async_to_sync(app.job_manager.unregister_worker)(worker)


def _fail(row: Any, seconds: int) -> None:
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
        _put_off(row.task_name, about, attempt + 1, 0.0 if killed_once else 2.0 ** (attempt + 1))


def take_up(seconds: float = _STALLED_SECONDS) -> None:
    """Have done again what a worker had begun that has shown no sign of life since, unless it waits anew already."""
    stalled = async_to_sync(app.job_manager.get_stalled_jobs)(seconds_since_heartbeat=seconds)
    for job in stalled:
        if job.id is not None:
            _requeue(job.id)


def _requeue(number: int) -> None:
    """Have a job done again that was begun, unless the same waits anew already."""
    try:
        with transaction.atomic():
            app.job_manager.retry_job_by_id(number, retry_at=timezone.now())
    except UniqueViolation:  # the same waits already, held up by this one
        finish = async_to_sync(app.job_manager.finish_job_by_id_async)
        finish(job_id=number, status=jobs.Status.ABORTED, delete_job=True)


def _move(name: str, about: dict[str, Any], moved: list[str], worker: str) -> None:
    """Put it into the queue of another worker, which has to do it itself if it comes back to one of `moved`."""
    _defer(name, {**about, _MOVED: moved}, _key(name, about), _NEWS, queue=queue_of(worker))


def move_jobs(repository: int, before: str, worker: str) -> None:
    """Have what waits for a worker that is gone done by the one that has the repository now."""
    with connection.cursor() as cursor:
        cursor.execute(_MOVE, [queue_of(worker), queue_of(before), str(repository)])


def release_jobs(living: Iterable[str]) -> None:
    """Have what waits for workers that are gone done by any worker: nobody else would, and it would hold up the same.

    `living` are the names of the workers that showed a sign of life.
    """
    with connection.cursor() as cursor:
        cursor.execute(_RELEASE, [QUEUE, _MOVED, f"{queue_of('')}%", [queue_of(worker) for worker in living]])


_RELEASE = (
    "UPDATE procrastinate_jobs SET queue_name = %s, args = args - %s "
    "WHERE status = 'todo' AND queue_name LIKE %s AND queue_name <> ALL (%s)"
)
_MOVE = (
    "UPDATE procrastinate_jobs SET queue_name = %s WHERE queue_name = %s AND status = 'todo' "
    "AND args ->> 'repository' = %s"
)


def _put_off(name: str, about: dict[str, Any], attempt: int, seconds: float) -> None:
    """It has a place of its own in the queue, so that news are not held up until then."""
    _defer(name, {**about, _ATTEMPT: attempt}, f"{_key(name, about)}:again", _PUT_OFF, timedelta(seconds=seconds))


def _defer(
    name: str, about: dict[str, Any], place: str, priority: int, later: timedelta | None = None, queue: str = QUEUE
) -> bool:
    """Put it into its place in the queue; whether that was free."""
    lock = place.removesuffix(":again")
    when = {"schedule_at": timezone.now() + later} if later is not None else {}
    try:
        with transaction.atomic():  # a refused duplicate would break the transaction
            TASKS[name].configure(queueing_lock=place, lock=lock, priority=priority, queue=queue, **when).defer(**about)
    except AlreadyEnqueued:
        return False
    return True


def _key(name: str, about: dict[str, Any]) -> str:
    """What a task is about, in an order of its own: the database gives a task's arguments back in another one."""
    return ":".join([name, *(f"{argument}={about[argument]}" for argument in sorted(about))])
