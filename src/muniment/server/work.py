"""Work in the background: named tasks, put off in the transaction of what caused them, done once.

A task is for one thing (`about`, such as a change): while it waits, asking for it again adds nothing, and two of the
same never run at once. What fails is tried again, later each time, and holds up no news about the same meanwhile; what
fails to the end stays, to be seen. A worker that dies leaves what it had begun to another (`take_up`).
"""

import functools
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from asgiref.sync import async_to_sync
from django.db import connection, transaction
from django.utils import timezone
from procrastinate import jobs
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateWorker
from procrastinate.exceptions import AlreadyEnqueued, UniqueViolation

from muniment.server import telemetry

TASKS: dict[str, Any] = {}
QUEUE = "judging"

_ATTEMPTS = 8
_ATTEMPT = "attempt"
_STALLED_SECONDS = 30.0
_PUT_OFF, _NEWS, _FIRST = range(3)  # the queue lets nothing pass that has the same lock, unless it is more urgent

_log = logging.getLogger("muniment.work")


def task(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Marks a function as what does the task of that name."""

    def mark(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def tried(**about: Any) -> None:
            attempt = int(about.pop(_ATTEMPT, 1))
            try:
                with telemetry.span(f"task {name}", attempt=attempt):
                    function(**about)
            except Exception as error:
                connection.close()
                if attempt >= _ATTEMPTS:
                    raise
                _log.warning("%s failed (%s), and is tried again", name, type(error).__name__)
                _put_off(name, about, attempt + 1)

        TASKS[name] = app.task(name=name, queue=QUEUE)(tried)
        return function

    return mark


def soon(name: str, **about: Any) -> None:
    """Have it done, if the transaction under way comes to its end. What already waits is not put there twice."""
    _defer(name, about, _key(name, about), _NEWS)


def first(name: str, **about: Any) -> None:
    """The same before whatever else waits; what waits for its turn already moves up."""
    place = _key(name, about)
    if not _defer(name, about, place, _FIRST):
        with connection.cursor() as cursor:
            cursor.execute(_MOVE_UP, [_FIRST, place, _FIRST])


_MOVE_UP = "UPDATE procrastinate_jobs SET priority = %s WHERE queueing_lock = %s AND status = 'todo' AND priority < %s"


def later(name: str, seconds: int, **about: Any) -> None:
    """The same in a while, beside what waits to be done at once: once, however often it is asked for meanwhile."""
    _defer(name, about, f"{_key(name, about)}:again", _PUT_OFF, timedelta(seconds=seconds))


def take_over() -> None:
    """For a worker before it begins, if no other can be: what the one before it had begun is not waited for.

    Where more than one showed signs of life of late, nobody can tell which of them was killed.
    """
    alive = ProcrastinateWorker.objects.filter(last_heartbeat__gt=timezone.now() - timedelta(seconds=_STALLED_SECONDS))
    if alive.count() <= 1:
        take_up(0.0)
        async_to_sync(app.job_manager.prune_stalled_workers)(seconds_since_heartbeat=0.0)


def take_up(seconds: float = _STALLED_SECONDS) -> None:
    """Have done again what a worker had begun that has shown no sign of life since, unless it waits anew already."""
    stalled = async_to_sync(app.job_manager.get_stalled_jobs)(seconds_since_heartbeat=seconds)
    for job in stalled:
        if job.id is None:
            continue
        try:
            with transaction.atomic():
                app.job_manager.retry_job_by_id(job.id, retry_at=timezone.now())
        except UniqueViolation:  # the same waits already, held up by this one
            finish = async_to_sync(app.job_manager.finish_job_by_id_async)
            finish(job_id=job.id, status=jobs.Status.ABORTED, delete_job=True)


def _put_off(name: str, about: dict[str, Any], attempt: int) -> None:
    """Later each time. It has a place of its own in the queue, so that news are not held up until then."""
    pause = timedelta(seconds=2.0**attempt)
    _defer(name, {**about, _ATTEMPT: attempt}, f"{_key(name, about)}:again", _PUT_OFF, pause)


def _defer(name: str, about: dict[str, Any], place: str, priority: int, later: timedelta | None = None) -> bool:
    """Put it into its place in the queue; whether that was free."""
    lock = place.removesuffix(":again")
    when = {"schedule_at": timezone.now() + later} if later is not None else {}
    try:
        with transaction.atomic():  # a refused duplicate would break the transaction
            TASKS[name].configure(queueing_lock=place, lock=lock, priority=priority, **when).defer(**about)
    except AlreadyEnqueued:
        return False
    return True


def _key(name: str, about: dict[str, Any]) -> str:
    return ":".join([name, *(str(value) for value in about.values())])
