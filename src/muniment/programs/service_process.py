"""A program that runs in parallel until it is ended, and that ends with our process, whatever ends us."""

import signal
import subprocess
from collections.abc import Mapping, Sequence

from msgspec import Struct

from muniment.programs.command import Command, MakeError
from muniment.programs.process import start_error

_REMEDY = "Install util-linux: setpriv and prlimit are of it."


class SystemAccount(Struct, frozen=True):
    """Account that a program runs as if not as ours: ids of user and group, and of the other groups it is in."""

    user: int
    group: int
    groups: tuple[int, ...] = ()


class ServiceProcess:
    """The program, running in a session of its own, never with more rights than it began with."""

    def __init__(
        self,
        command: Command,
        environment: Mapping[str, str],
        fail: MakeError,
        *,
        ended_by: signal.Signals,
        cwd: str | None = None,
        log: int | None = None,
        passed: Sequence[int] = (),
        account: SystemAccount | None = None,
        secret: bool = False,
    ) -> None:
        """Start the program, without input.

        `ended_by`: the signal that it gets once we have ended. `log`: an open file for all its output, ours without
        one. `passed`: open files that it inherits. `secret`: its memory is never dumped to a disk, and no other account
        may read the files that it makes. Raises what `fail` makes if it cannot be started.
        """
        arguments = (*_make_prefix(ended_by, account, secret), *command.arguments)
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
            raise start_error(arguments[0], _REMEDY, error, cwd, fail) from error

    @property
    def pid(self) -> int:
        """Process id of the program."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Exit code, None while the program runs."""
        return self._process.poll()

    def wait_for_end(self, seconds: float) -> int | None:
        """Exit code as soon as the program has ended, None if it runs on after these seconds."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def send_signal(self, number: signal.Signals) -> None:
        """Send the program a signal, if it still runs."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End the program at once."""
        self._process.kill()
        self._process.wait()


def _make_prefix(ended_by: signal.Signals, account: SystemAccount | None, secret: bool) -> list[str]:
    """Programs that set up the account and limits, each of which becomes the next."""
    words = ["setpriv", "--pdeathsig", ended_by.name.removeprefix("SIG"), "--no-new-privs"]
    if account is not None:
        groups = f"--groups={','.join(map(str, account.groups))}" if account.groups else "--clear-groups"
        words += [f"--reuid={account.user}", f"--regid={account.group}", groups, "--inh-caps=-all"]
    return [*words, "--", *(["prlimit", "--core=0", "--"] if secret else [])]
