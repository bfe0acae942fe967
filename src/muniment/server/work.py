"""Work in the background: named tasks, put off in the transaction of what caused them, done once.

A task is for one thing (`about`, such as a change): while it waits, asking for it again adds nothing, and two of the
same never run at once. A worker that dies leaves it to another (`recover`).
"""

from collections.abc import Callable
from typing import Any

from django.db import transaction
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued

TASKS: dict[str, Any] = {}
QUEUE = "judging"

_RETRY = RetryStrategy(max_attempts=8, exponential_wait=2)


def task(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Marks a function as what does the task of that name."""

    def mark(function: Callable[..., None]) -> Callable[..., None]:
        TASKS[name] = app.task(name=name, queue=QUEUE, retry=_RETRY)(function)
        return function

    return mark


def soon(name: str, **about: Any) -> None:
    """Have it done, if the transaction under way comes to its end. What already waits is not put there twice."""
    key = ":".join([name, *(str(value) for value in about.values())])
    try:
        with transaction.atomic():  # a refused duplicate would break the transaction
            TASKS[name].configure(queueing_lock=key, lock=key).defer(**about)
    except AlreadyEnqueued:
        pass
