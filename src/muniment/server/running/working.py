"""The worker process."""

import asyncio
import contextlib
import os
import signal

from procrastinate import App, PsycopgConnector
from procrastinate.contrib.django import app
from procrastinate.contrib.django.utils import connector_params

from muniment.server.running.rounds import Rounds
from muniment.server.work import QUEUE, take_over

_GRACE_SECONDS = 15  # for tasks that have begun
_LONGEST_SECONDS = 20  # whatever happens: another worker takes up what was left


def run(at_once: int, *, alone: bool) -> None:
    """Until a signal: what waits is done, what has begun is ended first. `alone`: there is no other worker.

    The queue is waited on by connections of the worker's own. What tasks and rounds put off goes by Django's, within
    the transaction of its cause.
    """
    if alone:
        take_over()
    with Rounds():
        asyncio.run(_run(app.with_connector(PsycopgConnector(kwargs=connector_params())), at_once))


async def _run(waiting: App, at_once: int) -> None:
    async with waiting.open_async():
        work = asyncio.create_task(
            waiting.run_worker_async(
                queues=[QUEUE],
                concurrency=at_once,
                delete_jobs="never",
                shutdown_graceful_timeout=_GRACE_SECONDS,
                install_signal_handlers=False,
            )
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, _end, loop, work)
        with contextlib.suppress(asyncio.CancelledError):
            await work


def _end(loop: asyncio.AbstractEventLoop, work: "asyncio.Task[None]") -> None:
    work.cancel()
    loop.call_later(_LONGEST_SECONDS, os._exit, 1)
