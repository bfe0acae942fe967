"""A program that runs on beside us until it is ended, and that ends with us, whatever ends us."""

import signal
import subprocess
from collections.abc import Mapping, Sequence

from msgspec import Struct

from muniment.programs.command import Command, Failure
from muniment.programs.process import cannot_start

_REMEDY = "Install util-linux: setpriv and prlimit are of it."


class Account(Struct, frozen=True):
    """The account that a program runs as if not as ours: ids of user and group, and of the other groups it is in."""

    user: int
    group: int
    groups: tuple[int, ...] = ()


class Service:
    """The program, running in a session of its own, never with more rights than it began with."""

    def __init__(
        self,
        command: Command,
        environment: Mapping[str, str],
        fail: Failure,
        *,
        ended_by: signal.Signals,
        cwd: str | None = None,
        log: int | None = None,
        passed: Sequence[int] = (),
        account: Account | None = None,
        secret: bool = False,
    ) -> None:
        """Start it. It reads nothing.

        `ended_by`: the signal that it gets once we have ended. `log`: an open file for all that it prints, ours without
        one. `passed`: open files that it inherits. `secret`: its memory is never dumped to a disk, and nobody else may
        read the files that it makes. Raises what `fail` makes if it cannot be started.
        """
        arguments = (*_prefix(ended_by, account, secret), *command.arguments)
        try:
            self._process = subprocess.Popen(
                arguments,
                env=environment,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=tuple(passed),
                umask=0o077 if secret else -1,
            )
        except OSError as error:
            raise cannot_start(arguments[0], _REMEDY, error, cwd, fail) from error

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def code(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._process.poll()

    def wait(self, seconds: float) -> int | None:
        """Its exit code as soon as it has ended, None if it runs on after these seconds."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()


def _prefix(ended_by: signal.Signals, account: Account | None, secret: bool) -> list[str]:
    """The programs that set this, each of which becomes the next."""
    words = ["setpriv", "--pdeathsig", ended_by.name.removeprefix("SIG"), "--no-new-privs"]
    if account is not None:
        groups = f"--groups={','.join(map(str, account.groups))}" if account.groups else "--clear-groups"
        words += [f"--reuid={account.user}", f"--regid={account.group}", groups, "--inh-caps=-all"]
    return [*words, "--", *(["prlimit", "--core=0", "--"] if secret else [])]
