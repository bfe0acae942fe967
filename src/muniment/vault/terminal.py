"""A command that was started at a terminal has one: with its size, its colours and its keys, and us in between."""

import errno
import fcntl
import os
import termios
import tty

_SIZE = 4 * 2  # bytes of struct winsize
_TYPED = 4096


class Terminal:
    """A terminal of our own for the command. `outer` is the real one; `typed` whether what is typed there is ours."""

    def __init__(self, outer: int, *, typed: bool) -> None:
        self.master, self.slave = os.openpty()
        os.set_blocking(self.master, False)  # its keys too must not hold us up
        self._outer = outer
        self._typing = typed and _in_front(outer)
        self._pending = b""
        self._raw = False
        self._saved, inner = termios.tcgetattr(outer), termios.tcgetattr(outer)
        if not self._typing:
            inner[1] &= ~termios.OPOST  # the outer one does it
        termios.tcsetattr(self.slave, termios.TCSANOW, inner)
        self.resize()

    @property
    def typing(self) -> bool:
        """Whether to look for what somebody types."""
        return self._typing and not self._pending

    def resize(self) -> None:
        """Make it as large as the real one; the command hears of it."""
        size = fcntl.ioctl(self._outer, termios.TIOCGWINSZ, b"\0" * _SIZE)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)

    def raw(self) -> None:
        """From now on every key is the command's, Ctrl-C too."""
        self._raw = self._typing
        if self._raw:
            tty.setraw(self._outer, termios.TCSADRAIN)

    def restore(self) -> None:
        """As it was."""
        if self._raw:
            termios.tcsetattr(self._outer, termios.TCSADRAIN, self._saved)

    def type(self, source: int) -> None:
        """Hand on what somebody typed."""
        try:
            typed = os.read(source, _TYPED)
        except OSError:
            typed = b""
        if not typed:  # the real one is gone
            self._typing = False
            typed = b"\x04"
        self._pending = typed
        self.push()

    def push(self) -> None:
        """Hand on what the command had no room for."""
        try:
            self._pending = self._pending[os.write(self.master, self._pending) :] if self._pending else b""
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self._pending = b""


def _in_front(outer: int) -> bool:
    """Whether we are what the terminal's keys go to: in the background, a look at them would stop us."""
    try:
        return os.tcgetpgrp(outer) == os.getpgrp()
    except OSError:
        return False
