"""Faults that are injected into a function: an error, an unreachable service, a time-out, a hang, and nothing.

An injected exception belongs to several classes, so that a handler for any of them shows itself.
"""

import asyncio
import inspect
import sys
import threading
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from pytest_muniment.swallowing import SwallowTracer, find_caller


class FaultKind(StrEnum):
    """Way in which a function fails."""

    ERROR = "error"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    NOTHING = "nothing"
    HANG = "hang"


# Exceptions of libraries that guards ask, by module and class. Each loaded one is a base of the injected exception.
_UNREACHABLE = (
    ("sqlite3", "OperationalError"),
    ("django.db.utils", "OperationalError"),
    ("psycopg", "OperationalError"),
    ("requests.exceptions", "ConnectionError"),
    ("redis.exceptions", "ConnectionError"),
    ("httpx", "ConnectError"),
)
_TIMEOUT = (
    ("requests.exceptions", "Timeout"),
    ("redis.exceptions", "TimeoutError"),
    ("httpx", "TimeoutException"),
)


def create_fault(kind: FaultKind, message: str) -> Exception:
    """Exception of a kind, whose message is `message`."""
    if kind is FaultKind.ERROR:
        bases: list[type[Exception]] = [RuntimeError, KeyError, ValueError, TypeError]
    elif kind is FaultKind.UNREACHABLE:
        bases = [ConnectionError]
    else:
        bases = [TimeoutError, ConnectionError]
    made = _derive(bases)
    for module, name in {FaultKind.UNREACHABLE: _UNREACHABLE, FaultKind.ERROR: ()}.get(kind, _TIMEOUT):
        other = getattr(sys.modules.get(module), name, None)
        if other is not None:
            try:
                made = _derive([*bases, other])
            except TypeError:  # its layout or order of classes does not fit: the guard is tested without it
                continue
            bases.append(other)
    return made(message)


def _derive(bases: list[type[Exception]]) -> type[Exception]:
    def initialise(self: Exception, message: str) -> None:
        Exception.__init__(self, message)  # not that of a library, which needs its own arguments

    return type("InjectedFault", tuple(bases), {"__init__": initialise, "__str__": Exception.__str__})


class FaultInjector:
    """Lets a function fail, and records where the fault went.

    `seconds` is the length of a hang: longer than a guard waits. Then it ends as a time-out.
    """

    def __init__(self, kind: FaultKind, seconds: float, on_fault: Callable[[], None], secret: str) -> None:
        self.kind = kind
        self._seconds = seconds
        self._on_fault = on_fault
        self._secret = secret
        self.tracer = SwallowTracer()
        self.callers: list[str] = []
        self._lock = threading.Lock()

    def replace(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Behaviour in place of `original`: see interception.BehaviourOf."""
        if inspect.iscoroutinefunction(original):
            return self._fail_async
        if inspect.isgeneratorfunction(original):
            return self._fail_generator
        return self._fail

    def _begin(self) -> None:
        with self._lock:
            caller = find_caller()
            if caller and caller not in self.callers:
                self.callers.append(caller)
        self._on_fault()

    def _raise(self) -> None:
        fault = create_fault(self.kind, f"injected fault {self._secret}")
        self.tracer.watch(fault, is_time_out=self.kind in (FaultKind.TIMEOUT, FaultKind.HANG))
        raise fault

    def _fail(self, *_: Any, **__: Any) -> None:
        self._begin()
        if self.kind is FaultKind.NOTHING:
            return
        if self.kind is FaultKind.HANG:
            self.tracer.watch_time_outs()
            time.sleep(self._seconds)
        self._raise()

    async def _fail_async(self, *_: Any, **__: Any) -> None:
        self._begin()
        if self.kind is FaultKind.NOTHING:
            return
        if self.kind is FaultKind.HANG:
            self.tracer.watch_time_outs()
            await asyncio.sleep(self._seconds)
        self._raise()

    def _fail_generator(self, *_: Any, **__: Any) -> Any:
        self._fail()
        yield from ()
