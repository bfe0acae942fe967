"""Terminal for a command that was started at one: with the same size, colours and keys, and our masking in between."""

import errno
import fcntl
import os
import termios
import tty

_SIZE = 4 * 2  # bytes of struct winsize
_TYPED = 4096


class Terminal:
    """Terminal of our own for the command. `outer` is the real one; `typed` whether the keys typed there are ours."""

    def __init__(self, outer: int, *, typed: bool) -> None:
        self.master, self.slave = os.openpty()
        os.set_blocking(self.master, False)  # its keys too must not hold us up
        self._outer = outer
        self._typing = typed and _is_in_foreground(outer)
        self._pending = b""
        self._raw = False
        self._saved, inner = termios.tcgetattr(outer), termios.tcgetattr(outer)
        if not self._typing:
            inner[1] &= ~termios.OPOST  # the outer one does it
        termios.tcsetattr(self.slave, termios.TCSANOW, inner)
        self.update_size()

    @property
    def is_reading_keys(self) -> bool:
        """Whether to read the keys that a person types."""
        return self._typing and not self._pending

    def update_size(self) -> None:
        """Give it the size of the real terminal; the command is notified."""
        size = fcntl.ioctl(self._outer, termios.TIOCGWINSZ, b"\0" * _SIZE)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)

    def set_raw_mode(self) -> None:
        """Pass every key to the command from now on, Ctrl-C too."""
        self._raw = self._typing
        if self._raw:
            tty.setraw(self._outer, termios.TCSADRAIN)

    def restore_mode(self) -> None:
        """Restore the mode of the real terminal."""
        if self._raw:
            termios.tcsetattr(self._outer, termios.TCSADRAIN, self._saved)

    def pass_typed(self, source: int) -> None:
        """Pass on the keys that a person typed."""
        try:
            typed = os.read(source, _TYPED)
        except OSError:
            typed = b""
        if not typed:  # the real one is gone
            self._typing = False
            typed = b"\x04"
        self._pending = typed
        self.pass_pending()

    def pass_pending(self) -> None:
        """Pass on the keys for which the command had no room."""
        try:
            self._pending = self._pending[os.write(self.master, self._pending) :] if self._pending else b""
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self._pending = b""


def _is_in_foreground(outer: int) -> bool:
    """Whether the terminal's keys go to this process: in the background, reading them would stop it."""
    try:
        return os.tcgetpgrp(outer) == os.getpgrp()
    except OSError:
        return False
