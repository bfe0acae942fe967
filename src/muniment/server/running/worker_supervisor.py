"""Supervises the child processes of a worker: each has a limit for its task, and none delays another.

Children are forked from one prepared process, which has no thread and no connection: a new one starts in
milliseconds and shares its memory. A child reports through a pipe what it begins and how long that may take. One
that takes longer, or shows no sign of life, is killed with all that it started, and another takes its place.
"""

import contextlib
import gc
import logging
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from muniment.server.process_signals import SignalPipe
from muniment.server.running.process_parent import adopt_orphans, end_with_parent

GRACE_SECONDS = 15  # for tasks that run when the worker is asked to end
SILENCE_SECONDS = 25  # without a sign of life; after 30, other workers take up what the child had begun
SIGN_SECONDS = 5  # between two signs of life

_LONGEST_SECONDS = GRACE_SECONDS + 2
_LEAST_SECONDS = 1.0  # between two starts in one place
_ENDS = (signal.SIGTERM, signal.SIGINT)

_log = logging.getLogger("muniment.supervisor")


class LostTask(NamedTuple):
    """Task that a child left when it ended: the child's number as a worker, its task, and how long that might have
    taken.

    `worker` and `job` are 0 where it had none; `seconds` is 0 for a child that ended by itself.
    """

    worker: int
    job: int
    name: str
    seconds: int


class SupervisorChannel:
    """End of the pipe to the supervisor in a child."""

    def __init__(self, writing: int) -> None:
        self._writing = writing

    def report_begin(self, worker: int, job: int, name: str, seconds: int) -> None:
        """Report a task that begins, and how long it may take."""
        self._send_line(f"begin {worker} {job} {name} {seconds}")

    def report_end(self) -> None:
        """Report the end of the task."""
        self._send_line("end")

    def start_heartbeat(self) -> None:
        """Show life from now on, for as long as any Python code gets its turn in this process."""

        def send_heartbeats() -> None:
            while True:
                time.sleep(SIGN_SECONDS)
                self._send_line("alive")

        threading.Thread(target=send_heartbeats, name="signs of life", daemon=True).start()

    def report_settled(self) -> None:
        """Report that the losses of the child before were requeued."""
        self._send_line("settled")

    def _send_line(self, line: str) -> None:
        os.write(self._writing, line.encode() + b"\n")


Body = Callable[[SupervisorChannel, tuple[LostTask, ...]], None]


class _ChildPlace:
    """Place for a child process, and the process that is there now."""

    def __init__(self, name: str, body: Body) -> None:
        self.name = name
        self.body = body
        self.pid = 0
        self.pipe = -1
        self.begun = self.seen = 0.0
        self.until = 0.0  # when it will have taken too long; 0 while it does nothing
        self.doing = LostTask(0, 0, "", 0)
        self.losses: list[LostTask] = []
        self._rest = b""

    def set_process(self, pid: int, pipe: int) -> None:
        self.pid, self.pipe, self._rest = pid, pipe, b""
        self.begun = self.seen = time.monotonic()
        self.until, self.doing = 0.0, LostTask(0, 0, "", 0)

    def read_reports(self) -> None:
        """Read the reports of the process."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.pipe, 65_536):
                *lines, self._rest = (self._rest + data).split(b"\n")
                for line in lines:
                    self._read_line(line.decode())

    def _read_line(self, line: str) -> None:
        self.seen = time.monotonic()
        match line.split():
            case ["begin", worker, job, name, seconds]:
                self.doing = LostTask(int(worker), int(job), name, int(seconds))
                self.until = self.seen + int(seconds)
            case ["end"]:
                self.doing, self.until = LostTask(self.doing.worker, 0, "", 0), 0.0
            case ["settled"]:
                self.losses.clear()
            case _:  # a sign of life
                pass


class Supervisor:
    """Supervisor of `bodies`, each by its name in a child process of its own, until SIGTERM or SIGINT."""

    def __init__(self, bodies: Mapping[str, Body]) -> None:
        self._children = [_ChildPlace(name, body) for name, body in bodies.items()]
        self._signals: SignalPipe | None = None

    def run_children(self) -> tuple[LostTask, ...]:
        """Run the children; returns the tasks of those that did not end in time when they were asked to."""
        adopt_orphans()
        gc.collect()
        gc.freeze()  # what children share is not touched by their collections
        # Before the first fork: a child that ends at once would otherwise leave no signal that anybody waits for.
        self._signals = SignalPipe((*_ENDS, signal.SIGCHLD))
        while not self._wait_for_events(self._signals) & set(_ENDS):
            self._check_children()
            for child in self._children:
                if not child.pid and time.monotonic() >= child.begun + _LEAST_SECONDS * bool(child.begun):
                    self._fork_child(child)
        return self._end_all(self._signals)

    def _wait_for_events(self, signals: SignalPipe) -> frozenset[int]:
        started = all(child.begun for child in self._children)
        pipes = [child.pipe for child in self._children if child.pid]
        select.select([signals.fileno(), *pipes], [], [], self._seconds_left() if started else 0)
        found = signals.wait_for_signals(0)
        for child in self._children:
            if child.pid:
                child.read_reports()
        return found

    def _seconds_left(self) -> float:
        """Seconds until a child has to be checked."""
        now = time.monotonic()
        ends = [child.until for child in self._children if child.pid and child.until]
        ends += [child.seen + SILENCE_SECONDS for child in self._children if child.pid]
        ends += [child.begun + _LEAST_SECONDS for child in self._children if not child.pid]
        return max(0.0, min(ends) - now) + 0.01

    def _check_children(self) -> None:
        """End those that take too long, and see which have ended."""
        now = time.monotonic()
        for child in self._children:
            if not child.pid:
                continue
            if child.until and now > child.until:
                _log.error("%s ran longer than %s s, and was ended", child.doing.name, child.doing.seconds)
                self._end_child(child, child.doing)
            elif now > child.seen + SILENCE_SECONDS:
                _log.error("%s showed no sign of life, and was ended", child.name)
                self._end_child(child, child.doing._replace(seconds=0))
        # Its pipe still has what it wrote last, such as the task that it began: that task is requeued.
        for pid in _reap_children():
            for child in self._children:
                if child.pid == pid:
                    child.read_reports()
                    _log.warning("%s ended by itself, and is started again", child.name)
                    self._end_child(child, child.doing._replace(seconds=0), reaped=True)

    def _end_child(self, child: _ChildPlace, loss: LostTask, *, reaped: bool = False) -> None:
        """Kill what is left of a child and of what it started; nothing of it runs once this returns."""
        # Killed before it is waited for: until then no other process can get its number, and with it our signal.
        if not reaped:
            _kill_group(child.pid)
            os.waitpid(child.pid, 0)
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
        os.close(child.pipe)
        child.pid, child.pipe = 0, -1
        if loss.worker:
            child.losses.append(loss)
        self._kill_orphans()

    def _kill_orphans(self) -> None:
        """Kill programs that a child had started: they are our children now, and nobody needs them."""
        known = {child.pid for child in self._children}
        while orphans := [pid for pid in _find_children(os.getpid()) if pid not in known]:
            for pid in orphans:
                _kill_group(pid)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, 0)

    def _fork_child(self, child: _ChildPlace) -> None:
        # A fork copies the calling thread alone: locks that other threads hold would stay locked in the child for ever.
        if len(os.listdir("/proc/self/task")) != 1:
            raise RuntimeError("a process with threads cannot be forked")
        parent = os.getpid()
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        pid = os.fork()
        if pid:
            os.close(writing)
            child.set_process(pid, reading)
            return
        code = 1
        try:
            self._prepare_child(parent, reading)
            child.body(SupervisorChannel(writing), tuple(child.losses))
            code = 0
        except Exception:  # noqa: BLE001 -- the outermost edge of a process
            _log.exception("%s failed, and is started again", child.name)
        # Not sys.exit: the exit handlers of the parent, which the child has copied, would run in it.
        finally:
            os._exit(code)

    def _prepare_child(self, parent: int, reading: int) -> None:
        """Prepare the process of a child before it does anything."""
        # First, with the number of the parent from before the fork: if it has ended since, this process ends too.
        end_with_parent(parent)
        os.setsid()
        if self._signals is not None:
            self._signals.close_pipe()
        for number in (*_ENDS, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        for descriptor in (reading, *(other.pipe for other in self._children if other.pid)):
            os.close(descriptor)

    def _end_all(self, signals: SignalPipe) -> tuple[LostTask, ...]:
        for child in self._children:
            if child.pid:
                os.kill(child.pid, signal.SIGTERM)
        last = time.monotonic() + _LONGEST_SECONDS
        while any(child.pid for child in self._children) and time.monotonic() < last:
            signals.wait_for_signals(0.1)
            for pid in _reap_children():
                for child in self._children:
                    if child.pid == pid:
                        child.read_reports()
                        self._end_child(child, child.doing._replace(job=0), reaped=True)
        for child in self._children:
            if child.pid:
                self._end_child(child, child.doing._replace(job=0))
        return tuple(loss for child in self._children for loss in child.losses)


def _reap_children() -> Iterator[int]:
    """Children that have ended, adopted ones too."""
    with contextlib.suppress(ChildProcessError):
        while (pid := os.waitpid(-1, os.WNOHANG)[0]) != 0:
            yield pid


def _kill_group(pid: int) -> None:
    """Kill a process with its group; alone if it has no group of its own yet."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _find_children(parent: int) -> list[int]:
    """Ids of the child processes of a process, from /proc."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(folder.name))
    return found
