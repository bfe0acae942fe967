"""The process tree of `muniment up`: web and worker, started again when they end, ended with their parent.

Where root starts them, each runs as the account `muniment-NAME`, and gets only those credentials of the environment
that it uses.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from muniment.errors import ProgramError
from muniment.programs.catalogue import Program
from muniment.programs.command import Command, Option, build_command
from muniment.programs.service import Service
from muniment.server.running.accounts import NO_FOLDER, ProcessAccount

_LEAST_SECONDS = 1.0  # between two starts of one process
_END_SECONDS = 20

_CREDENTIALS: Mapping[str, tuple[str, ...]] = {  # variables that hold one, and the processes that use it
    "MUNIMENT_OIDC_ISSUER": ("web",),  # without a secret it is set up by half
    "MUNIMENT_OIDC_CLIENT": ("web",),
    "MUNIMENT_OIDC_SECRET": ("web",),
    "MUNIMENT_SMTP_URL": ("worker",),
    "MUNIMENT_CHAT_URL": ("worker",),
    "PGPASSWORD": (),
}


class Tree:
    """Child processes by name: `with Tree(environment) as tree: tree.start("web", [...])`.

    `accounts`: those that they run as, by name (`muniment-web`); without any, all run as this process does.
    """

    def __init__(self, environment: Mapping[str, str], accounts: Mapping[str, ProcessAccount]) -> None:
        self._environment = dict(environment)
        self._accounts = accounts
        self._commands: dict[str, tuple[Command, dict[str, str]]] = {}
        self._running: dict[str, Service] = {}
        self._begun: dict[str, float] = {}
        self._ending = threading.Event()

    def __enter__(self) -> "Tree":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running.values():
            process.send(signal.SIGTERM)
        for process in self._running.values():
            if process.wait(_END_SECONDS) is None:
                process.kill()

    def start(self, name: str, options: Sequence[Option], extra: Mapping[str, str]) -> None:
        """Start `muniment NAME OPTIONS`. Raises ProgramError."""
        self._commands[name] = (build_command(Program.MUNIMENT, [name, *options], ProgramError), dict(extra))
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
                if process.code is not None and time.monotonic() > self._begun[name] + _LEAST_SECONDS:
                    self._start(name)

    def _start(self, name: str) -> None:
        command, extra = self._commands[name]
        environment = {**_without_others(name, self._environment), **extra}
        self._begun[name] = time.monotonic()
        if not self._accounts:
            self._running[name] = Service(command, environment, ProgramError, ended_by=signal.SIGTERM)
            return
        self._running[name] = Service(
            command,
            {**environment, "HOME": NO_FOLDER},
            ProgramError,
            ended_by=signal.SIGTERM,
            cwd="/",
            account=self._accounts[f"muniment-{name}"].ids,
            secret=True,
        )


def _without_others(name: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without the credentials that this process does not use."""
    return {key: value for key, value in environment.items() if name in _CREDENTIALS.get(key, (name,))}


def on_end(act: Callable[[], None]) -> None:
    """Ctrl-C and SIGTERM both come to `act()`."""

    def handle(number: int, frame: object) -> None:
        act()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)


def environment(**values: str) -> dict[str, str]:
    """Ours, with these."""
    return {**os.environ, **values}
