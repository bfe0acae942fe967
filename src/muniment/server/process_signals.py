"""Signals for a loop that waits for them: nothing interrupts it half-way."""

import os
import select
import signal
from collections.abc import Iterable
from types import FrameType


class SignalPipe:
    """Pipe that receives signals for as long as the process lives; only the main thread may make one."""

    def __init__(self, numbers: Iterable[int]) -> None:
        self._reading, self._writing = os.pipe()
        for end in (self._reading, self._writing):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        for number in numbers:
            signal.signal(number, _ignore_signal)

    def fileno(self) -> int:
        """The file descriptor that is readable once a signal came."""
        return self._reading

    def close_pipe(self) -> None:
        """Receive no more: for a child process, which receives its own."""
        signal.set_wakeup_fd(-1)
        os.close(self._reading)
        os.close(self._writing)

    def wait_for_signals(self, seconds: float) -> frozenset[int]:
        """Signals that came, at once if any did, else within `seconds`."""
        select.select([self._reading], [], [], seconds)
        try:
            return frozenset(os.read(self._reading, 1024))
        except BlockingIOError:
            return frozenset()


def _ignore_signal(number: int, frame: FrameType | None) -> None:
    """Handle a signal by doing nothing: Python has to have a handler for the number to be written."""
