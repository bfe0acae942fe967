"""Everything that is observed during one call: functions that ran, log, connections to other programs."""

import contextlib
import inspect
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from pytest_muniment.interception import Intercepted
from pytest_muniment.swallowing import find_caller

_connections: list[list[str]] = []  # of each observation that is going on; a hook of Python can never be removed


def _note_connection(event: str, arguments: tuple[Any, ...]) -> None:
    if _connections and event == "socket.connect":
        _connections[-1].append(str(arguments[1]))


class Recorder:
    """Events of a call in their order: (kind, name). Kinds: handler, asks, guard, fault."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.events: list[tuple[str, str]] = []
        self.callers: dict[str, list[str]] = {}

    def add(self, kind: str, name: str) -> None:
        """Add an event; threads of the application may do so at once."""
        with self._lock:
            self.events.append((kind, name))

    def add_caller(self, name: str) -> None:
        """Note who asks a function."""
        caller = find_caller()
        with self._lock:
            known = self.callers.setdefault(name, [])
            if caller not in known:
                known.append(caller)

    def clear(self) -> None:
        """Forget all events, before the next call."""
        with self._lock:
            self.events.clear()
            self.callers.clear()

    def watch(self, kind: str, intercepted: Intercepted, returned: bool = False) -> Any:
        """Context in which each call of a function is an event. `returned`: its kind of result is an event too."""

        def behaviour_of(original: Callable[..., Any]) -> Callable[..., Any]:
            def note_and_call(*args: Any, **kwargs: Any) -> Any:
                self.add(kind, intercepted.name)
                if kind == "asks":
                    self.add_caller(intercepted.name)
                result = original(*args, **kwargs)
                if returned and not inspect.isawaitable(result) and not inspect.isgenerator(result):
                    self.add("returned", f"{intercepted.name} {describe_result(result)}")
                return result

            return note_and_call

        return intercepted.replaced(behaviour_of)


def describe_result(result: object) -> str:
    """Kind of a guard's result: nothing, a truth value, or another value."""
    if result is None:
        return "nothing"
    return "truth" if isinstance(result, bool) else "value"


@contextmanager
def watch_all(recorder: Recorder, targets: list[tuple[str, Intercepted]]) -> Iterator[None]:
    """Watch all functions, until the context ends."""
    with ExitStack() as stack:
        for kind, intercepted in targets:
            stack.enter_context(recorder.watch(kind, intercepted, returned=kind == "guard"))
        yield


class _LogText(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.lines.append(self.format(record))
        except Exception:  # noqa: BLE001 -- a record that cannot be written counts by its own text
            self.lines.append(str(record.msg))


@contextmanager
def captured_log() -> Iterator[list[str]]:
    """Lines that any logger writes, with stack traces."""
    handler = _LogText()
    loggers = [logging.getLogger()]
    loggers += [each for each in logging.Logger.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    chosen = [each for each in loggers if each is loggers[0] or not each.propagate]
    for logger in chosen:
        logger.addHandler(handler)
    try:
        yield handler.lines
    finally:
        for logger in chosen:
            logger.removeHandler(handler)


@contextmanager
def noted_connections() -> Iterator[list[str]]:
    """Addresses to which the process connects: outside calls cannot be undone."""
    if not getattr(sys, "_muniment_audit", False):
        sys.addaudithook(_note_connection)
        sys._muniment_audit = True  # type: ignore[attr-defined]
    found: list[str] = []
    _connections.append(found)
    try:
        yield found
    finally:
        with contextlib.suppress(ValueError):
            _connections.remove(found)
