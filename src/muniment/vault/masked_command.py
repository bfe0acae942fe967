"""Runs a command to its end: its output masked, its signals and its exit code passed on.

A new session is its own, so that it has no other terminal than ours to write to. Processes that it leaves behind have a
moment to finish writing; then nobody reads their output any more.
"""

import errno
import fcntl
import os
import select
import signal
import termios
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import NamedTuple

from muniment.errors import RunCode, RunError
from muniment.programs.replacement import replace_process_with
from muniment.vault.masked_stream import MaskedStream
from muniment.vault.masking import Masker
from muniment.vault.terminal import Terminal

_PASSED_SIGNALS = (
    *(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT),
    *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGCONT),
)
_PAUSE_MILLISECONDS = 100  # milliseconds without output after which somebody at a terminal waits
_LINGER_SECONDS = 1.0  # seconds for what the command left behind


class CommandEnd(NamedTuple):
    """End of a command: `code` as a shell reports it; `signal` is what ended it, 0 if it ended itself."""

    code: int
    signal: int


class _CommandStreams(NamedTuple):
    """Input, output and errors of the command; our streams of its output; and its terminal, if it has one."""

    given: tuple[int, int, int]
    streams: list[MaskedStream]
    terminal: Terminal | None


def run_masked(
    command: Sequence[str], environment: Mapping[str, str | bytes], masker: Masker, *, undisturbed: bool = False
) -> CommandEnd:
    """Run a command to its end; `undisturbed` by the signals that we get. Raises RunError if it could not be
    started.
    """
    _open_standard_streams()
    ends = _open_streams(masker)
    with ExitStack() as stack:
        child = _Child(command, environment, ends, () if undisturbed else _PASSED_SIGNALS, stack)
        if ends.terminal is not None:
            stack.callback(ends.terminal.restore_mode)
            ends.terminal.set_raw_mode()
        _relay_output(child, ends)
        return child.wait_for_end()


class _Child:
    """Started command, with our signals on their way to it."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str | bytes],
        ends: _CommandStreams,
        passed: Sequence[signal.Signals],
        stack: ExitStack,
    ) -> None:
        self._terminal = ends.terminal
        # held back until there is somebody to pass them to
        # A signal between fork and here would end us and leave the command running without a masker.
        masked = signal.pthread_sigmask(signal.SIG_BLOCK, (*_PASSED_SIGNALS, signal.SIGWINCH))
        stack.callback(signal.pthread_sigmask, signal.SIG_SETMASK, masked)
        # Both ends close at exec (PEP 446): end of file means that the command started, an error number that it did
        # not.
        failures, failures_end = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            _become_command(command, environment, ends, failures_end, masked)
        os.close(failures_end)
        for given in {*ends.given} - {0}:
            if ends.terminal is None or given != ends.terminal.slave:
                os.close(given)
        problem = os.read(failures, 16)
        os.close(failures)
        if problem:
            os.waitpid(self._pid, 0)
            raise command_not_found(command[0], int(problem))
        # A handle of this very process: its number may belong to another one as soon as it was waited for.
        self.handle = os.pidfd_open(self._pid)
        stack.callback(os.close, self.handle)
        self.wake = _create_wake_pipe(stack)
        for number in passed:
            if signal.getsignal(number) is not signal.SIG_IGN:
                stack.callback(signal.signal, number, signal.signal(number, self._pass_signal))
        if ends.terminal is not None:
            stack.callback(signal.signal, signal.SIGWINCH, signal.signal(signal.SIGWINCH, self._resize_terminal))
        signal.pthread_sigmask(signal.SIG_SETMASK, masked)

    def _pass_signal(self, number: int, _: object) -> None:
        with suppress(OSError):  # it has just ended, or became somebody else
            os.killpg(self._pid, number)

    def _resize_terminal(self, *_: object) -> None:
        if self._terminal is not None:
            self._terminal.update_size()

    def wait_for_end(self) -> CommandEnd:
        """Wait for the command, and return how it ended."""
        code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        return CommandEnd(code, 0) if code >= 0 else CommandEnd(128 - code, -code)


@contextmanager
def ignore_signals() -> Iterator[None]:
    """Ignore the signals that would end this process; commands that run meanwhile still get them."""
    with ExitStack() as stack:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            if signal.getsignal(number) is not signal.SIG_IGN:
                stack.callback(signal.signal, number, signal.signal(number, lambda *_: None))
        yield


def exit_like(ended: CommandEnd) -> int:
    """Exit code of a command that ended so; if a signal ended it, end this process by the same signal."""
    if ended.signal:
        if ended.signal != signal.SIGKILL:
            signal.signal(ended.signal, signal.SIG_DFL)
        os.kill(os.getpid(), ended.signal)
    return ended.code


def _create_wake_pipe(stack: ExitStack) -> int:
    """Create a pipe that becomes readable with each signal: one just before the wait would else be noticed after it."""
    wake, waken = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(waken, False)
    stack.callback(os.close, wake)
    stack.callback(os.close, waken)
    stack.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(waken, warn_on_full_buffer=False))
    return wake


def command_not_found(program: str, number: int) -> RunError:
    """Create the error for a program that the system does not start."""
    return RunError(
        RunCode.COMMAND_NOT_FOUND,
        f"{program} cannot be started ({os.strerror(number)})",
        "Check that it is installed here, executable and on PATH.",
    )


def _become_command(
    command: Sequence[str],
    environment: Mapping[str, str | bytes],
    ends: _CommandStreams,
    failures_end: int,
    masked: Iterable[int],
) -> None:
    """Become the command, in the child. It never returns."""
    try:
        os.setsid()
        if ends.terminal is not None:
            fcntl.ioctl(ends.terminal.slave, termios.TIOCSCTTY, 0)
        for standard, given in enumerate(ends.given):
            os.dup2(given, standard)
        # A command that inherits them as ignored writes on to a reader that has gone.
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, masked)
        replace_process_with(command, environment)
    except (OSError, ValueError) as error:  # such as a null byte in what it would get
        os.write(failures_end, str(getattr(error, "errno", errno.EINVAL)).encode())
    finally:
        os._exit(127)


def _open_streams(masker: Masker) -> _CommandStreams:
    """Open a terminal where there was one, a pipe where there was none; one for both if both were the same."""
    terminals = [standard for standard in (1, 2, 0) if os.isatty(standard)]
    terminal = Terminal(terminals[0], typed=os.isatty(0)) if terminals else None
    streams = [MaskedStream(terminal.master, terminals[0], masker, waited=True)] if terminal is not None else []
    given = [0, 0, 0]
    for standard in (0, 1, 2):
        if terminal is not None and os.isatty(standard):
            given[standard] = terminal.slave
        elif standard == 2 and given[1] and os.path.samestat(os.fstat(1), os.fstat(2)):
            given[2] = given[1]
        elif standard:
            source, given[standard] = os.pipe()
            streams.append(MaskedStream(source, standard, masker.copy_for_stream()))
    return _CommandStreams((given[0], given[1], given[2]), streams, terminal)


def _relay_output(child: _Child, ends: _CommandStreams) -> None:
    """Pass on the output until the command ended, then the rest that is on its way."""
    poll = select.poll()
    poll.register(child.handle, select.POLLIN)
    poll.register(child.wake, select.POLLIN)
    open_ones = {stream.source: stream for stream in ends.streams}
    for source in open_ones:
        poll.register(source, select.POLLIN)
    try:
        while not _relay_once(poll, child, open_ones, ends.terminal):
            pass
        if ends.terminal is not None:
            # While we hold it the terminal reports no end, and we would wait for more until the time is over.
            os.close(ends.terminal.slave)
        poll.unregister(child.handle)
        poll.unregister(child.wake)
        end = time.monotonic() + _LINGER_SECONDS
        while open_ones and (left := end - time.monotonic()) > 0:
            for source, _ in poll.poll(left * 1000):
                _relay_stream(poll, open_ones, source)
    finally:
        for stream in open_ones.values():
            stream.end_stream()


def _relay_once(
    poll: select.poll, child: _Child, open_ones: dict[int, MaskedStream], terminal: Terminal | None
) -> bool:
    """Read all streams once. Returns whether the command has ended."""
    if terminal is not None:
        _watch_keys(poll, terminal)
    waiting = [stream for stream in open_ones.values() if stream.is_awaited]
    found = poll.poll(_PAUSE_MILLISECONDS if waiting else None)
    if not found:
        for stream in waiting:
            stream.release_held()
    for source, _ in found:
        if source in open_ones:
            _relay_stream(poll, open_ones, source)
        elif source == child.wake:
            os.read(source, _PAUSE_MILLISECONDS)
        elif terminal is not None and source == 0:
            terminal.pass_typed(source)
    return any(source == child.handle for source, _ in found)


def _watch_keys(poll: select.poll, terminal: Terminal) -> None:
    terminal.pass_pending()
    if terminal.is_reading_keys:
        poll.register(0, select.POLLIN)
    else:
        with suppress(KeyError):
            poll.unregister(0)


def _relay_stream(poll: select.poll, open_ones: dict[int, MaskedStream], source: int) -> None:
    if not open_ones[source].relay_piece():
        poll.unregister(source)
        open_ones.pop(source).end_stream()


def _open_standard_streams() -> None:
    """Open input, output and errors if they are closed, so that no file of ours takes their numbers."""
    while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(handle, True)
    os.close(handle)
