"""Signals as they come to a loop: what it waits for, and nothing that interrupts it half-way."""

import os
import select
import signal
from collections.abc import Iterable
from types import FrameType


class SignalPipe:
    """Catches signals for as long as the process lives; only the main thread may make one."""

    def __init__(self, numbers: Iterable[int]) -> None:
        self._reading, self._writing = os.pipe()
        for end in (self._reading, self._writing):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        for number in numbers:
            signal.signal(number, _catch)

    def fileno(self) -> int:
        """The file descriptor that is readable once a signal came."""
        return self._reading

    def close(self) -> None:
        """Catch no more: for a child process, which catches its own."""
        signal.set_wakeup_fd(-1)
        os.close(self._reading)
        os.close(self._writing)

    def wait(self, seconds: float) -> frozenset[int]:
        """The signals that came, at once if any did, else within `seconds`."""
        select.select([self._reading], [], [], seconds)
        try:
            return frozenset(os.read(self._reading, 1024))
        except BlockingIOError:
            return frozenset()


def _catch(number: int, frame: FrameType | None) -> None:
    """Python has to have a handler for the number to be written."""
