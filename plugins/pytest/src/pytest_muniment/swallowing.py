"""Names the code that swallowed a fault: the last function that the exception reached, with file and line.

Tracing begins when the fault is raised, so other calls run at their own speed.
"""

import linecache
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

_OWN = str(Path(__file__).resolve().parent)
_MOST_CAUSES = 50


@dataclass(frozen=True)
class SwallowedAt:
    """Place that swallowed a fault. `line` is that of the handler, `call_line` that of the call that failed."""

    file: str
    line: int
    function: str
    call_line: int


class SwallowTracer:
    """Follows injected exceptions through the functions that they leave."""

    def __init__(self) -> None:
        self._faults: list[BaseException] = []
        self._with_time_outs = False
        self._last: SwallowedAt | None = None
        self._waiting: FrameType | None = None

    @property
    def place(self) -> SwallowedAt | None:
        """The last function that a fault reached; None if no exception reached any."""
        return self._last

    def start(self) -> None:
        """Follow exceptions in this thread, and in threads that it starts."""
        threading.settrace(self._trace)
        sys.settrace(self._trace)

    def stop(self) -> None:
        """End it."""
        sys.settrace(None)
        threading.settrace(None)

    def watch(self, fault: BaseException, *, is_time_out: bool) -> None:
        """Follow one exception, which is raised next in this thread."""
        self._faults.append(fault)
        self._with_time_outs |= is_time_out
        # A thread of a pool was started before: it and the functions that are running have no trace function yet.
        sys.settrace(self._trace)
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if not _is_own(frame):
                frame.f_trace = self._trace
            frame = frame.f_back

    def watch_time_outs(self) -> None:
        """Follow time-outs and cancellations: a caller that stops waiting raises its own."""
        self._with_time_outs = True

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        if _is_own(frame):
            return None
        if event == "exception":
            if self._is_followed(argument[1] if isinstance(argument[1], BaseException) else argument[0]()):
                code = frame.f_code
                self._last = SwallowedAt(code.co_filename, frame.f_lineno, code.co_qualname, frame.f_lineno)
                self._waiting = frame
        elif event == "line" and frame is self._waiting and self._last is not None:
            last = self._last
            self._last = SwallowedAt(last.file, frame.f_lineno, last.function, last.call_line)
            text = linecache.getline(last.file, frame.f_lineno).strip()
            if not text.startswith("except"):  # one that does not match is followed by the next
                handler = last.line if last.line != last.call_line else frame.f_lineno
                self._last = SwallowedAt(last.file, handler, last.function, last.call_line)
                self._waiting = None
        return self._trace

    def _is_followed(self, error: BaseException | None) -> bool:
        for _ in range(_MOST_CAUSES):
            if error is None:
                return False
            if any(error is fault for fault in self._faults):
                return True
            if self._with_time_outs and isinstance(error, TimeoutError):
                return True
            error = error.__cause__ or error.__context__
        return False


def _is_own(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_OWN)


def find_caller() -> str:
    """File, line and function of the code that called the function that fails."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_own(frame):
        frame = frame.f_back
    if frame is None:
        return ""
    return f"{frame.f_code.co_filename}:{frame.f_lineno}:{frame.f_code.co_qualname}"
