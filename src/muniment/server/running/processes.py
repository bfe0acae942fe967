"""The process tree of `muniment up`: web and worker, started again when they end, ended with their parent."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence

_LEAST_SECONDS = 1.0  # between two starts of one process
_END_SECONDS = 20


class Tree:
    """Child processes by name: `with Tree(environment) as tree: tree.start("web", [...])`."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._commands: dict[str, tuple[list[str], dict[str, str]]] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._begun: dict[str, float] = {}
        self._ending = threading.Event()

    def __enter__(self) -> "Tree":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running.values():
            if process.poll() is None:
                process.terminate()
        for process in self._running.values():
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(self, name: str, arguments: Sequence[str], extra: Mapping[str, str]) -> None:
        """Start `muniment ARGUMENTS`."""
        self._commands[name] = (list(arguments), dict(extra))
        self._start(name)

    def end(self) -> None:
        """Have `watch` return."""
        self._ending.set()

    def watch(self, *tend: Callable[[], None]) -> None:
        """Until `end`: start again what has ended, and `tend` to the rest."""
        while not self._ending.wait(0.3):
            for each in tend:
                each()
            for name, process in list(self._running.items()):
                if process.poll() is not None and time.monotonic() > self._begun[name] + _LEAST_SECONDS:
                    self._start(name)

    def _start(self, name: str) -> None:
        arguments, extra = self._commands[name]
        command = ["setpriv", "--pdeathsig", "TERM", sys.executable, "-m", "muniment", *arguments]
        self._begun[name] = time.monotonic()
        self._running[name] = subprocess.Popen(
            command, env={**self._environment, **extra}, stdin=subprocess.DEVNULL, start_new_session=True
        )


def on_end(act: Callable[[], None]) -> None:
    """Ctrl-C and SIGTERM both come to `act()`."""

    def handle(number: int, frame: object) -> None:
        act()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)


def environment(**values: str) -> dict[str, str]:
    """Ours, with these."""
    return {**os.environ, **values}
