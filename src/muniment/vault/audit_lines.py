"""Lines of the vault's audit log as they are on the disk, and after which moment a damaged one was written.

A full disk cuts a line, and the next entry continues it: such a line stays damaged for ever.
"""

from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import BinaryIO, NamedTuple

LARGEST_LINE = 1 << 20  # bytes. A request with a very long path writes a longer one, which no entry of ours is

_DATING_LINES = 16


class LogLine(NamedTuple):
    """Line of `size` bytes. `data` is the line, or the end of one that is longer than LARGEST_LINE."""

    size: int
    data: bytes

    @property
    def is_overlong(self) -> bool:
        """Whether `data` is only its end."""
        return self.size > len(self.data)


def iterate_lines(stream: BinaryIO, most: int | None = None) -> Iterator[LogLine]:
    """Iterate over the complete lines from here on: the last one may not be written yet. Raises OSError."""
    count = 0
    while most is None or count < most:
        size = 0
        while data := stream.readline(LARGEST_LINE):
            size += len(data)
            if data.endswith(b"\n"):
                break
        else:
            return
        count += 1
        yield LogLine(size, data)


class DamageDating:
    """Finds after which moment a damaged line was written: that of the newest whole entry before it."""

    def __init__(self, find_time: Callable[[LogLine], datetime | None]) -> None:
        """`find_time` returns None for a line that is damaged. It is called for damage only: lines are many."""
        self._find_time = find_time
        self._lines: deque[LogLine] = deque(maxlen=_DATING_LINES)
        self._moment: datetime | None = None

    def add_line(self, line: LogLine) -> None:
        """Add the next line of the log."""
        self._lines.append(line)

    def find_moment(self) -> datetime | None:
        """Moment after which the line that follows was written; None where no whole entry is before it."""
        times = map(self._find_time, reversed(self._lines))
        self._moment = next((time for time in times if time is not None), self._moment)
        return self._moment
