"""Process tree of `muniment up`: web and worker, started again when they end, ended with their parent.

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
from muniment.programs.command import Command, ProgramOption, build_command
from muniment.programs.service_process import ServiceProcess
from muniment.server.running.process_system_accounts import NO_FOLDER, ProcessAccount

_LEAST_SECONDS = 1.0  # between two starts of one process
_END_SECONDS = 20

_CREDENTIALS: Mapping[str, tuple[str, ...]] = {  # variables that hold one, and the processes that use it
    "MUNIMENT_OIDC_ISSUER": ("web",),  # without a secret it is set up by half
    "MUNIMENT_OIDC_CLIENT": ("web",),
    "MUNIMENT_OIDC_SECRET": ("web",),
    "MUNIMENT_SMTP_URL": ("worker",),
    "MUNIMENT_IMAP_URL": ("worker",),
    "MUNIMENT_CHAT_URL": ("worker",),
    "PGPASSWORD": (),
}


class ProcessTree:
    """Child processes by name: `with ProcessTree(environment) as tree: tree.start_process("web", [...])`.

    `accounts`: those that they run as, by name (`muniment-web`); without any, all run as this process does.
    """

    def __init__(self, environment: Mapping[str, str], accounts: Mapping[str, ProcessAccount]) -> None:
        self._environment = dict(environment)
        self._accounts = accounts
        self._commands: dict[str, tuple[Command, dict[str, str]]] = {}
        self._running: dict[str, ServiceProcess] = {}
        self._begun: dict[str, float] = {}
        self._ending = threading.Event()

    def __enter__(self) -> "ProcessTree":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        for process in self._running.values():
            if process.wait_for_end(_END_SECONDS) is None:
                process.kill()

    def start_process(self, name: str, options: Sequence[ProgramOption], extra: Mapping[str, str]) -> None:
        """Start `muniment NAME OPTIONS`. Raises ProgramError."""
        self._commands[name] = (build_command(Program.MUNIMENT, [name, *options], ProgramError), dict(extra))
        self._start_child(name)

    def request_end(self) -> None:
        """Have `watch_processes` return soon."""
        self._ending.set()

    def watch_processes(self, *tend: Callable[[], None]) -> None:
        """Until `request_end`: start processes again that have ended, and call each of `tend`."""
        while not self._ending.wait(0.3):
            for each in tend:
                each()
            for name, process in list(self._running.items()):
                if process.exit_code is not None and time.monotonic() > self._begun[name] + _LEAST_SECONDS:
                    self._start_child(name)

    def _start_child(self, name: str) -> None:
        command, extra = self._commands[name]
        environment = {**_select_credentials(name, self._environment), **extra}
        self._begun[name] = time.monotonic()
        if not self._accounts:
            self._running[name] = ServiceProcess(command, environment, ProgramError, ended_by=signal.SIGTERM)
            return
        self._running[name] = ServiceProcess(
            command,
            {**environment, "HOME": NO_FOLDER},
            ProgramError,
            ended_by=signal.SIGTERM,
            cwd="/",
            account=self._accounts[f"muniment-{name}"].account_ids,
            secret=True,
        )


def _select_credentials(name: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without the credentials that this process does not use."""
    return {key: value for key, value in environment.items() if name in _CREDENTIALS.get(key, (name,))}


def call_on_end(act: Callable[[], None]) -> None:
    """Call `act()` for Ctrl-C and SIGTERM."""

    def handle_signal(number: int, frame: object) -> None:
        act()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle_signal)


def extend_environment(**values: str) -> dict[str, str]:
    """Environment of this process, with these variables added."""
    return {**os.environ, **values}
