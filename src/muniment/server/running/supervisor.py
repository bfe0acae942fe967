"""Supervises the child processes of a worker: each has a limit for what it does, and none holds up another.

Children are forked from one prepared process, which has no thread and no connection: a new one starts in milliseconds
and shares its memory. A child tells through a pipe what it begins and how long that may take. One that takes longer,
or shows no sign of life, is killed with all that it started, and another takes its place.
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
from muniment.server.running.parent import end_with_parent, keep_orphans

GRACE_SECONDS = 15  # for what has begun when the worker is told to end
SILENCE_SECONDS = 25  # without a sign of life; after 30, other workers take up what the child had begun
SIGN_SECONDS = 5  # between two signs of life

_LONGEST_SECONDS = GRACE_SECONDS + 2
_LEAST_SECONDS = 1.0  # between two starts in one place
_ENDS = (signal.SIGTERM, signal.SIGINT)

_log = logging.getLogger("muniment.supervisor")


class Loss(NamedTuple):
    """What a child left when it ended: its number as a worker, its task, and how long that might have taken.

    `worker` and `job` are 0 where it had none; `seconds` is 0 for a child that ended by itself.
    """

    worker: int
    job: int
    name: str
    seconds: int


class Channel:
    """The child's end of the pipe."""

    def __init__(self, writing: int) -> None:
        self._writing = writing

    def begin(self, worker: int, job: int, name: str, seconds: int) -> None:
        """Something begins that may take so long."""
        self._tell(f"begin {worker} {job} {name} {seconds}")

    def end(self) -> None:
        """It has ended."""
        self._tell("end")

    def keep_alive(self) -> None:
        """Show life from now on, for as long as any Python code gets its turn in this process."""

        def show() -> None:
            while True:
                time.sleep(SIGN_SECONDS)
                self._tell("alive")

        threading.Thread(target=show, name="signs of life", daemon=True).start()

    def settle(self) -> None:
        """What the one before had left is seen to."""
        self._tell("settled")

    def _tell(self, line: str) -> None:
        os.write(self._writing, line.encode() + b"\n")


Body = Callable[[Channel, tuple[Loss, ...]], None]


class _Child:
    """One place for a child process, and the process that is there now."""

    def __init__(self, name: str, body: Body) -> None:
        self.name = name
        self.body = body
        self.pid = 0
        self.pipe = -1
        self.begun = self.seen = 0.0
        self.until = 0.0  # when it will have taken too long; 0 while it does nothing
        self.doing = Loss(0, 0, "", 0)
        self.losses: list[Loss] = []
        self._rest = b""

    def start(self, pid: int, pipe: int) -> None:
        self.pid, self.pipe, self._rest = pid, pipe, b""
        self.begun = self.seen = time.monotonic()
        self.until, self.doing = 0.0, Loss(0, 0, "", 0)

    def read(self) -> None:
        """Take in what it told."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.pipe, 65_536):
                *lines, self._rest = (self._rest + data).split(b"\n")
                for line in lines:
                    self._hear(line.decode())

    def _hear(self, line: str) -> None:
        self.seen = time.monotonic()
        match line.split():
            case ["begin", worker, job, name, seconds]:
                self.doing = Loss(int(worker), int(job), name, int(seconds))
                self.until = self.seen + int(seconds)
            case ["end"]:
                self.doing, self.until = Loss(self.doing.worker, 0, "", 0), 0.0
            case ["settled"]:
                self.losses.clear()
            case _:  # a sign of life
                pass


class Supervisor:
    """Runs `bodies`, each by its name in a child process of its own, until SIGTERM or SIGINT."""

    def __init__(self, bodies: Mapping[str, Body]) -> None:
        self._children = [_Child(name, body) for name, body in bodies.items()]
        self._signals: SignalPipe | None = None

    def run(self) -> tuple[Loss, ...]:
        """What the children left that did not end in time when they were told to."""
        keep_orphans()
        gc.collect()
        gc.freeze()  # what children share is not touched by their collections
        self._signals = SignalPipe((*_ENDS, signal.SIGCHLD))
        while not self._wait(self._signals) & set(_ENDS):
            self._look()
            for child in self._children:
                if not child.pid and time.monotonic() >= child.begun + _LEAST_SECONDS * bool(child.begun):
                    self._fork(child)
        return self._end_all(self._signals)

    def _wait(self, signals: SignalPipe) -> frozenset[int]:
        started = all(child.begun for child in self._children)
        pipes = [child.pipe for child in self._children if child.pid]
        select.select([signals.fileno(), *pipes], [], [], self._seconds_left() if started else 0)
        found = signals.wait(0)
        for child in self._children:
            if child.pid:
                child.read()
        return found

    def _seconds_left(self) -> float:
        """Until something has to be done."""
        now = time.monotonic()
        ends = [child.until for child in self._children if child.pid and child.until]
        ends += [child.seen + SILENCE_SECONDS for child in self._children if child.pid]
        ends += [child.begun + _LEAST_SECONDS for child in self._children if not child.pid]
        return max(0.0, min(ends) - now) + 0.01

    def _look(self) -> None:
        """End those that take too long, and see which have ended."""
        now = time.monotonic()
        for child in self._children:
            if not child.pid:
                continue
            if child.until and now > child.until:
                _log.error("%s ran longer than %s s, and was ended", child.doing.name, child.doing.seconds)
                self._end(child, child.doing)
            elif now > child.seen + SILENCE_SECONDS:
                _log.error("%s showed no sign of life, and was ended", child.name)
                self._end(child, child.doing._replace(seconds=0))
        for pid in _ended():
            for child in self._children:
                if child.pid == pid:
                    child.read()
                    _log.warning("%s ended by itself, and is started again", child.name)
                    self._end(child, child.doing._replace(seconds=0), reaped=True)

    def _end(self, child: _Child, loss: Loss, *, reaped: bool = False) -> None:
        """Kill what is left of a child and of what it started; nothing of it runs once this returns."""
        if not reaped:
            _kill(child.pid)
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
        """Programs that a child had started are ours now, and nobody's any more."""
        known = {child.pid for child in self._children}
        while orphans := [pid for pid in _children_of(os.getpid()) if pid not in known]:
            for pid in orphans:
                _kill(pid)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, 0)

    def _fork(self, child: _Child) -> None:
        if len(os.listdir("/proc/self/task")) != 1:
            raise RuntimeError("a process with threads cannot be forked")
        parent = os.getpid()
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        pid = os.fork()
        if pid:
            os.close(writing)
            child.start(pid, reading)
            return
        code = 1
        try:
            self._become(parent, reading)
            child.body(Channel(writing), tuple(child.losses))
            code = 0
        except Exception:  # noqa: BLE001 -- the outermost edge of a process
            _log.exception("%s failed, and is started again", child.name)
        finally:
            os._exit(code)

    def _become(self, parent: int, reading: int) -> None:
        """What a child has to be before it does anything."""
        end_with_parent(parent)
        os.setsid()
        if self._signals is not None:
            self._signals.close()
        for number in (*_ENDS, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        for descriptor in (reading, *(other.pipe for other in self._children if other.pid)):
            os.close(descriptor)

    def _end_all(self, signals: SignalPipe) -> tuple[Loss, ...]:
        for child in self._children:
            if child.pid:
                os.kill(child.pid, signal.SIGTERM)
        last = time.monotonic() + _LONGEST_SECONDS
        while any(child.pid for child in self._children) and time.monotonic() < last:
            signals.wait(0.1)
            for pid in _ended():
                for child in self._children:
                    if child.pid == pid:
                        child.read()
                        self._end(child, child.doing._replace(job=0), reaped=True)
        for child in self._children:
            if child.pid:
                self._end(child, child.doing._replace(job=0))
        return tuple(loss for child in self._children for loss in child.losses)


def _ended() -> Iterator[int]:
    """Children that have ended, whosoever they were."""
    with contextlib.suppress(ChildProcessError):
        while (pid := os.waitpid(-1, os.WNOHANG)[0]) != 0:
            yield pid


def _kill(pid: int) -> None:
    """A process with its group; alone if it has no group of its own yet."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _children_of(parent: int) -> list[int]:
    """Its child processes, as /proc tells them."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(folder.name))
    return found
