"""The worker process."""

import asyncio
import contextlib
import os
import signal

from procrastinate import PsycopgConnector
from procrastinate.contrib.django import app
from procrastinate.contrib.django.utils import connector_params

from muniment.server.running.rounds import Rounds
from muniment.server.work import QUEUE

_GRACE_SECONDS = 15  # for tasks that have begun
_LONGEST_SECONDS = 20  # whatever happens: another worker takes up what was left


def run(at_once: int) -> None:
    """Until a signal: what waits is done, what has begun is ended first."""
    connector = PsycopgConnector(kwargs=connector_params())
    with Rounds(), app.replace_connector(connector):
        asyncio.run(_run(at_once))


async def _run(at_once: int) -> None:
    async with app.open_async():
        work = asyncio.create_task(
            app.run_worker_async(
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
