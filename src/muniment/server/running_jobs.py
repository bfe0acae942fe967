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

# The next jobs in the order of the queue, as `procrastinate_fetch_job_v2` finds one, and of these the wanted ones.
_TAKE = """
    WITH next AS (
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
        ORDER BY job.priority DESC, job.id LIMIT %(most)s FOR UPDATE OF job SKIP LOCKED
    ), taken AS (
        UPDATE procrastinate_jobs AS job SET status = 'doing', worker_id = %(worker)s
        FROM next WHERE job.id = next.id AND next.task_name = %(name)s
            AND next.args ->> 'repository' = %(repository)s
            AND (SELECT count(*) FROM jsonb_object_keys(next.args)) = 2
        RETURNING job.id, (job.args -> %(each)s)::text AS value, next.priority
    )
    SELECT value, id FROM taken ORDER BY priority DESC, id
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
    about: dict[str, Any] = {"name": name, "repository": str(repository), "each": each, "most": most}
    values = {**about, "queues": list(running.queues), "worker": running.worker}
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


def finish_job(number: int) -> None:
    """End a job that was taken over; news about the same object can be processed from now on."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT procrastinate_finish_job_v1(%s, 'succeeded', false)", [number])
