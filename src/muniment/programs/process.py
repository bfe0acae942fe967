"""A program that runs as a child process: bounded in time, memory and output, and ended with all that it started."""

import contextlib
import os
import resource
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import IO, NamedTuple

from muniment.errors import MunimentError
from muniment.facts import paths
from muniment.programs.catalogue import REMEDIES
from muniment.programs.command import Command, MakeError
from muniment.programs.process_group_killer import ProcessGroupKiller
from muniment.programs.temporary_files import open_temporary_file

_PIECE = 1 << 16  # bytes
_OURS = 0  # our own input
_SLOW = "Try again when the machine is less busy."


class ProcessLimits(NamedTuple):
    """Limits of a child. Hostile input can require much: no child gets more."""

    seconds: float = 20  # until it has ended and all of its output is read
    output: int = 256 << 20  # bytes
    memory: int = 4 << 30
    file: int = 1 << 30  # bytes of any file that it writes


DEFAULT_LIMITS = ProcessLimits()


class ProcessResult(NamedTuple):
    """Result of a child: exit code, output, and the first 64 KiB of standard error.

    A negative code is the signal that ended it.
    """

    code: int
    out: bytes
    err: bytes


def run_program(
    command: Command,
    environment: Mapping[str, str],
    fail: MakeError,
    *,
    input: bytes = b"",
    cwd: str = "/",
    limits: ProcessLimits = DEFAULT_LIMITS,
    interactive: bool = False,
    passed: Sequence[int] = (),
) -> ProcessResult:
    """Run a program to its end. It reads `input`, or nothing.

    `passed`: open files that it inherits. `interactive`: it may ask the person at our terminal, and reads our input if
    it is given none of its own. Raises what `fail` makes if the program is not there, takes longer, or prints more than
    the limits allow.
    """
    with (
        _open_input(input, interactive) as given,
        ChildProcess(command, environment, fail, given, cwd, limits, interactive, passed) as child,
    ):
        return child.read_to_end()


@contextlib.contextmanager
def _open_input(data: bytes, interactive: bool) -> Iterator[IO[bytes] | int]:
    if not data:
        yield _OURS if interactive else subprocess.DEVNULL
        return
    with open_temporary_file() as given:
        given.write(data)
        given.seek(0)
        yield given


class ChildProcess:
    """A program that is running. Leaving the `with` ends it and, as it has a session of its own, all that it started.

    It also ends with our own process (`ProcessGroupKiller`). `name`: for messages. The limit of time is one for each
    answer, or for the whole of `read_to_end`.
    """

    def __init__(
        self,
        command: Command,
        environment: Mapping[str, str],
        fail: MakeError,
        stdin: IO[bytes] | int | None = None,
        cwd: str = "/",
        limits: ProcessLimits = DEFAULT_LIMITS,
        interactive: bool = False,
        passed: Sequence[int] = (),
    ) -> None:
        """Without `stdin`, requests can be written; `interactive`: it has our own terminal.

        Raises what `fail` makes.
        """
        self.name = command.name
        self._fail = fail
        self._limits = limits
        self._interactive = interactive
        self._buffer = bytearray()
        # A file and no pipe: a program that writes much to it would wait for us, while we wait for its output.
        self._complaints = open_temporary_file()  # closed by `close`
        self._end_with_us = ProcessGroupKiller()
        try:
            self._process = _start_process(
                command,
                environment,
                fail,
                stdin,
                self._complaints,
                cwd,
                interactive,
                (*self._end_with_us.inherited, *passed),
            )
        except MunimentError:
            self._complaints.close()
            self._end_with_us.close()
            raise
        self._end_with_us.watch_process(self._process.pid, group=not interactive)
        # From outside, after the start: a function between fork and exec is not safe in a process with threads.
        _set_limits(self._process.pid, limits)
        assert self._process.stdout is not None  # noqa: S101 -- it is a pipe
        self._out = self._process.stdout.fileno()
        self._poll = select.poll()
        self._poll.register(self._out, select.POLLIN)

    def __enter__(self) -> "ChildProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the child. A second time does nothing."""
        self._kill_session()
        for file in (self._process.stdin, self._process.stdout, self._complaints):
            if file is not None:
                file.close()
        self._end_with_us.close()

    def write_request(self, request: bytes) -> None:
        """Write at most 4,096 bytes (a pipe always takes so many) to a child that waits for them."""
        assert self._process.stdin is not None  # noqa: S101 -- only called if it is a pipe
        try:
            os.write(self._process.stdin.fileno(), request)
        except BrokenPipeError as error:
            raise self.make_failure() from error

    def read_to_end(self) -> ProcessResult:
        """Read all output of the child until it ends."""
        deadline = time.monotonic() + self._limits.seconds
        pieces = bytearray()
        while piece := self.read_piece(deadline):
            pieces += piece
            if len(pieces) > self._limits.output:
                raise self._fail(
                    f"{self.name} prints more than {self._limits.output >> 20} MiB", "Ask for less at once."
                )
        self._wait_for_end(deadline)
        return ProcessResult(self._kill_session(), bytes(pieces), self.read_stderr())

    def read_piece(self, deadline: float | None = None) -> bytes:
        """Read some bytes as soon as there are any, none at the end. Raises what `fail` makes at the deadline."""
        left = self._limits.seconds if deadline is None else deadline - time.monotonic()
        if left <= 0 or not self._poll.poll(left * 1000):
            raise self._timeout_error()
        return os.read(self._out, _PIECE)

    def read_line(self) -> bytes:
        """The next line, without its end. Raises what `fail` makes if the child ends before."""
        while (end := self._buffer.find(b"\n")) < 0:
            self._fill_buffer()
        found = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return found

    def read_exactly(self, size: int) -> bytes:
        """The next `size` bytes. Raises what `fail` makes if the child ends before."""
        while len(self._buffer) < size:
            self._fill_buffer()
        found = bytes(self._buffer[:size])
        del self._buffer[:size]
        return found

    def make_failure(self) -> MunimentError:
        """Error for a child that ended too early."""
        return self._fail(f"{self.name} failed: {find_last_line(self.read_stderr())}", "Look at its input.")

    def read_stderr(self) -> bytes:
        """Standard error of the child: the first 64 KiB."""
        self._complaints.seek(0)
        return self._complaints.read(_PIECE)

    def _fill_buffer(self) -> None:
        piece = self.read_piece()
        if not piece:
            raise self.make_failure()
        self._buffer += piece

    def _wait_for_end(self, deadline: float) -> None:
        """Wait until the child has ended by itself: one that closed its output may still be at work."""
        if not _has_ended(self._process, max(0.0, deadline - time.monotonic())):
            raise self._timeout_error()

    def _kill_session(self) -> int:
        """Exit code of the child.

        The rest of its session is killed: until we waited for it, no other process has its number.
        """
        if self._process.returncode is None:
            if self._interactive:
                self._process.kill()
            else:
                with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS, where all of them have ended
                    # The group has the number of its first process, which stays taken until `wait` below.
                    os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait()

    def _timeout_error(self) -> MunimentError:
        return self._fail(f"{self.name} took longer than {self._limits.seconds:g} seconds", _SLOW)


def _has_ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether a child ends within some seconds. Linux signals it at once; `Popen.wait` polls, and sleeps."""
    if not hasattr(os, "pidfd_open"):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        return process.returncode is not None
    handle = os.pidfd_open(process.pid)
    try:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
    finally:
        os.close(handle)


def find_last_line(complaints: bytes) -> str:
    """Last line of a program's output, for a person: at most 300 printable characters."""
    lines = complaints.strip().splitlines() or [b"it gave no reason"]
    return paths.decode_path(lines[-1][:300].strip())


def _start_process(
    command: Command,
    environment: Mapping[str, str],
    fail: MakeError,
    stdin: IO[bytes] | int | None,
    stderr: IO[bytes],
    cwd: str,
    interactive: bool,
    passed: Sequence[int],
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command.arguments,
            env=environment,
            cwd=cwd,
            stdin=subprocess.PIPE if stdin is None else stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            bufsize=0,
            start_new_session=not interactive,
            pass_fds=passed,
        )
    except OSError as error:
        raise start_error(command.program, REMEDIES[command.program], error, cwd, fail) from error
    except ValueError:  # which would quote what it holds
        what = f"{command.program} cannot be started: its folder or environment is not text, or has a null byte"
        raise fail(what, "Name it in another way.") from None


def start_error(program: str, remedy: str, error: OSError, cwd: str | None, fail: MakeError) -> MunimentError:
    """Error for a program that the system did not start."""
    if cwd is not None and error.filename == cwd:
        return fail(f"{cwd} is not a folder that can be entered ({error.strerror})", "Name a folder that is there.")
    if isinstance(error, FileNotFoundError):
        return fail(f"{program} is not installed", remedy)
    return fail(f"{program} cannot be started ({error.strerror})", remedy)


def _set_limits(pid: int, limits: ProcessLimits) -> None:
    if not hasattr(resource, "prlimit"):
        return
    for what, most in (
        (resource.RLIMIT_DATA, limits.memory),
        (resource.RLIMIT_FSIZE, limits.file),
        (resource.RLIMIT_CORE, 0),
    ):
        try:
            resource.prlimit(pid, what, (most, most))
        except (ProcessLookupError, PermissionError, ValueError):
            continue  # it has ended already, or the machine sets a lower limit
