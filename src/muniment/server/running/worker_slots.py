"""Slot of a worker: a process that does one task at a time, and reports to its supervisor how long it may take."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from django.conf import settings
from django.db import connection
from procrastinate import App, PsycopgConnector, jobs
from procrastinate.contrib.django import app
from procrastinate.contrib.django.utils import connector_params
from procrastinate.manager import JobManager, get_channel_for_queues

from muniment.server import telemetry
from muniment.server.job_queue import (
    LIMITS,
    QUEUE,
    SHARING_TASKS,
    STALLED_SECONDS,
    name_worker_queue,
    requeue_from_ended_slot,
)
from muniment.server.running.worker_supervisor import GRACE_SECONDS, LostTask, SupervisorChannel
from muniment.server.running_jobs import FETCH_JOB, RUNNING_JOB, RunningJob
from muniment.server.worker_slot_locks import count_shared_slots


def run_slot(channel: SupervisorChannel, losses: tuple[LostTask, ...]) -> None:
    """Requeue what the slot before left, then do tasks until SIGTERM or SIGINT.

    The queue is waited on by connections of the slot's own. Tasks that a task enqueues use Django's, within the
    transaction of their cause.
    """
    # Before the losses are requeued: that waits for locks, and a slot that is silent too long is killed.
    channel.start_heartbeat()
    for loss in losses:
        requeue_from_ended_slot(loss.worker, loss.job, loss.seconds)
    channel.report_settled()
    # Requeueing has opened one, and the login has a limited number: each task opens Django's anew.
    connection.close()
    queue = PsycopgConnector(kwargs=connector_params(), min_size=1)  # the login's connections are limited
    asyncio.run(_run(app.with_connector(queue), channel))
    telemetry.flush_spans()


def list_queues() -> list[str]:
    """Queues of this worker: a list, since the driver takes a tuple for a row and not for an array."""
    return [QUEUE, name_worker_queue(settings.WORKER_NAME)]


class _WaitingJobs(JobManager):
    """Jobs of the queue, which a notification is only a reason to read: each login of the database can send one.

    A job of a repository that occupies all slots that it may have waits, and keeps its place.
    """

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> jobs.Job | None:
        """Begin the next job; None if there is none."""
        limits = {"most": 1, "slots": count_shared_slots(), "sharing": SHARING_TASKS, "alive": STALLED_SECONDS}
        if not limits["slots"]:
            return await super().fetch_job(queues, worker_id)
        # Decided in the query: a check in Python would see the slots as they were before another worker took a job.
        row = await self.connector.execute_query_one_async(FETCH_JOB, queues=queues, worker_id=worker_id, **limits)
        return jobs.Job.from_row(row) if row["id"] is not None else None

    async def listen_for_jobs(
        self, *, on_notification: Callable[..., Any], queues: Iterable[str] | None = None
    ) -> None:
        """Listen for notifications, and believe nothing in them: neither a job's number nor a request to end one."""

        async def announce_job(channel: str, payload: str) -> None:
            await on_notification(channel=channel, notification={"type": "job_inserted"})

        await self.connector.listen_notify(on_notification=announce_job, channels=get_channel_for_queues(queues=queues))


async def _run(waiting: App, channel: SupervisorChannel) -> None:
    queues = list_queues()

    async def announce(call: Callable[[], Awaitable[Any]], context: Any, worker: Any) -> Any:
        name = context.job.task_name

        def report_begin(job: int) -> None:
            channel.report_begin(worker.worker_id, job, name, LIMITS.get(name, 1))

        report_begin(context.job.id)
        RUNNING_JOB.set(RunningJob(context.job.id, worker.worker_id, queues, report_begin))  # of this asyncio task
        try:
            return await call()
        finally:
            channel.report_end()

    waiting.job_manager = _WaitingJobs(waiting.connector)
    async with waiting.open_async():
        work = asyncio.create_task(
            waiting.run_worker_async(
                queues=queues,
                concurrency=1,
                delete_jobs="never",
                shutdown_graceful_timeout=GRACE_SECONDS,
                install_signal_handlers=False,
                worker_middleware=[announce],
            )
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, _end_work, loop, work)
        with contextlib.suppress(asyncio.CancelledError):
            await work


def _end_work(loop: asyncio.AbstractEventLoop, work: "asyncio.Task[None]") -> None:
    work.cancel()
    loop.call_later(GRACE_SECONDS + 1, os._exit, 1)  # a task's thread cannot be ended: another slot takes it up
