"""Job that this process runs at the moment, and those that it takes over to do them together with it."""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple

import msgspec
from django.db import IntegrityError, connection, transaction


class RunningJob(NamedTuple):
    """Number of a job, the worker that runs it, the worker's queues, and how to report that another job begins."""

    job: int
    worker: int
    queues: Sequence[str]
    report_begin: Callable[[int], None]


RUNNING_JOB: ContextVar[RunningJob | None] = ContextVar("running_job", default=None)  # None outside of a worker

# Jobs that can begin, in the order of the queue, as `procrastinate_fetch_job_v2` finds one.
_READY = """
        SELECT job.* FROM procrastinate_jobs AS job
        WHERE job.status = 'todo' AND job.queue_name = ANY(%(queues)s)
            AND (job.scheduled_at IS NULL OR job.scheduled_at <= now())
            AND NOT EXISTS (
                SELECT FROM procrastinate_jobs AS other WHERE other.lock = job.lock AND (
                    other.status = 'doing' OR other.status = 'todo' AND (
                        other.priority > job.priority OR other.priority = job.priority AND other.id < job.id
                    )
                )
            )
"""
# SKIP LOCKED: two workers that look at once get different jobs, and neither waits for the other.
_ORDER = "ORDER BY job.priority DESC, job.id LIMIT %(most)s FOR UPDATE OF job SKIP LOCKED"

# The next job, as the query `fetch_job` of procrastinate gives it, but none of a repository that has all the slots that
# it may have: it would be put off, and could not be done together with the others. A dead worker occupies no slot.
FETCH_JOB = f"""
    WITH busy AS (
        SELECT doing.args ->> 'repository' AS repository FROM procrastinate_jobs AS doing
            JOIN procrastinate_workers AS worker ON worker.id = doing.worker_id
        WHERE doing.status = 'doing' AND doing.task_name = ANY(%(sharing)s)
            AND worker.last_heartbeat > now() - make_interval(secs => %(alive)s)
        GROUP BY 1 HAVING count(DISTINCT doing.worker_id) >= %(slots)s
    ), next AS (
        {_READY} AND NOT (
            job.task_name = ANY(%(sharing)s) AND job.args ->> 'repository' IN (SELECT repository FROM busy)
        ) {_ORDER}
    ), begun AS (
        UPDATE procrastinate_jobs AS job SET status = 'doing', worker_id = %(worker_id)s
        FROM next WHERE job.id = next.id RETURNING job.*
    )
    SELECT id, status, task_name, priority, lock, queueing_lock, args, scheduled_at, queue_name, attempts, worker_id
    FROM (SELECT) AS always LEFT JOIN begun ON true
"""  # noqa: S608 -- of constants

# Two arguments exactly: a retry and a moved job have a third, and keep their own attempts and their own worker.
_TAKE = f"""
    WITH next AS ({_READY} {_ORDER}), taken AS (
        UPDATE procrastinate_jobs AS job SET status = 'doing', worker_id = %(worker)s
        FROM next WHERE job.id = next.id AND next.task_name = %(name)s
            AND next.args ->> 'repository' = %(repository)s
            AND (SELECT count(*) FROM jsonb_object_keys(next.args)) = 2
        RETURNING job.id, (job.args -> %(each)s)::text AS value, next.priority
    )
    SELECT value, id FROM taken ORDER BY priority DESC, id
"""  # noqa: S608 -- of constants

# Only if still at work: a worker that was taken for dead must not end a job that another one has begun since.
_FINISH = """
    SELECT procrastinate_finish_job_v1(id, 'succeeded', false) FROM procrastinate_jobs
    WHERE id = ANY(%s) AND status = 'doing'
"""
_UNFINISHED = "SELECT id FROM procrastinate_jobs WHERE worker_id = %s AND status = 'doing' AND id <> %s"


def take_next_jobs(name: str, repository: int, each: str, most: int) -> dict[Any, int]:
    """Take over waiting jobs of a task and repository that are among the next `most` of the queue.

    Returns their numbers by the argument `each`; none outside of a worker. Retries and moved jobs stay, which have
    further arguments.
    """
    running = RUNNING_JOB.get()
    if running is None:
        return {}
    about = {"name": name, "repository": str(repository), "each": each, "most": most}
    values: dict[str, Any] = {**about, "queues": list(running.queues), "worker": running.worker}
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_TAKE, values)
            return {msgspec.json.decode(value): int(number) for value, number in cursor.fetchall()}
    except IntegrityError:  # another worker began a job about the same object at this moment
        return {}


def list_unfinished_jobs() -> list[int]:
    """Jobs that this worker took over and did not end, because the database failed then. None outside of a worker."""
    running = RUNNING_JOB.get()
    if running is None:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_UNFINISHED, [running.worker, running.job])
        return [number for (number,) in cursor.fetchall()]


def report_job(number: int) -> None:
    """Report to the worker's supervisor that this job is at work: it is the one to blame if the process ends."""
    running = RUNNING_JOB.get()
    if running is not None:
        running.report_begin(number or running.job)


def finish_jobs(numbers: Sequence[int]) -> None:
    """End jobs that were taken over; news about the same objects can be processed from now on.

    Those that are not at work any more stay: another worker took them for lost.
    """
    if numbers:
        with connection.cursor() as cursor:
            cursor.execute(_FINISH, [list(numbers)])
