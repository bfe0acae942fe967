"""A real terminal for a program, with somebody who types and looks."""

import fcntl
import os
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence

Attributes = list[int | list[bytes | int]]


class Seated:
    """A program at a terminal of so many rows and columns."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], size: tuple[int, int] = (24, 80)
    ) -> None:
        self.master, slave = os.openpty()
        self.resize(*size)
        self.before = termios.tcgetattr(slave)
        self._slave = slave
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *command],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**environment, "TERM": "xterm-256color"},
        )
        self.seen = b""

    def __enter__(self) -> "Seated":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self._slave)

    @property
    def attributes(self) -> Attributes:
        """How the terminal is set now."""
        return termios.tcgetattr(self._slave)

    def resize(self, rows: int, columns: int) -> None:
        """Change the size of the terminal, as a window does."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def types(self, text: bytes) -> None:
        """Write keys to the terminal."""
        os.write(self.master, text)

    def until(self, wanted: bytes, seconds: float = 20) -> bytes:
        """All that was seen when it appears."""
        end = time.monotonic() + seconds
        while wanted not in self.seen:
            ready, _, _ = select.select([self.master], [], [], max(end - time.monotonic(), 0))
            assert ready, f"it never appeared; seen: {self.seen!r}"
            self.seen += os.read(self.master, 65536)
        return self.seen

    def ends(self) -> tuple[int, bytes]:
        """Wait for the end of the process. Returns its exit code, and its whole output."""
        code = self.process.wait(30)
        while select.select([self.master], [], [], 0)[0]:
            self.seen += os.read(self.master, 65536)
        return code, self.seen
