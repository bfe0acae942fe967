"""Answers that concern no single change, such as an account's write access, read once for changes read together."""

import contextlib
import time
from collections.abc import Callable, Hashable, Iterator
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

_SECONDS = 5.0  # an answer is used for; a slow forge is asked again, since access may end meanwhile
_answers: ContextVar[dict[Hashable, tuple[float, Any]] | None] = ContextVar("answers", default=None)


@contextlib.contextmanager
def share_answers() -> Iterator[None]:
    """Share, in this block, the answers that are read with `read_shared`."""
    token = _answers.set({})
    try:
        yield
    finally:
        _answers.reset(token)


def read_shared(key: Hashable, read: Callable[[], T]) -> T:
    """Result of `read`, or of the last one with this key in the block. A failure is not shared."""
    shared = _answers.get()
    if shared is None:
        return read()
    at, found = shared.get(key, (0.0, None))
    now = time.monotonic()
    if key not in shared or now > at + _SECONDS:
        shared[key] = now, (found := read())
    return found  # type: ignore[no-any-return]
