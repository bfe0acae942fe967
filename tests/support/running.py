"""`muniment up` as a process, as a new user starts it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.database import find_template, restore_template


def clean() -> dict[str, str]:
    """The environment of somebody who has set nothing."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("MUNIMENT_", "DATABASE_"))}


def muniment(*arguments: object, **variables: str) -> tuple[int, str]:
    """Run a command. Returns its exit code, and its whole output."""
    command = [sys.executable, "-m", "muniment", *map(str, arguments)]
    environment = {**clean(), **variables}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


class Up:
    """`muniment up`, running; in a new home with the migrated database that tests share, if there is one.

    That saves two thirds of the first start. Tests of the first start itself run the command, or are not `migrated`.
    """

    def __init__(
        self,
        home: Path,
        repository: Path | None,
        *,
        migrated: bool = True,
        arguments: tuple[str, ...] = (),
        **variables: str,
    ) -> None:
        self.home, self.given, self.arguments, self.variables = home, repository, arguments, variables
        if migrated and not home.exists() and (template := find_template()).exists():
            home.mkdir(mode=0o700)
            restore_template(template, home / "postgres" / "data")
        self.process = self._start()
        self.url, self.link = self._read_welcome()

    @property
    def repository(self) -> Path:
        """The repository that it was given."""
        assert self.given is not None
        return self.given

    def _start(self) -> subprocess.Popen[str]:
        given = [str(self.given)] if self.given is not None else []
        command = [sys.executable, "-m", "muniment", "up", *given, "--home", str(self.home)]
        command += self.arguments
        environment = {**clean(), **self.variables}
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def _read_welcome(self) -> tuple[str, str]:
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if "Ctrl-C" in line:
                break
        text = "".join(lines)
        url = re.search(r"runs at (\S+)", text)
        link = re.search(r"(\S+/welcome/\S+)", text)
        assert url is not None, text
        return url[1], link[1] if link else ""

    def again(self) -> None:
        """Once it has ended, start it again."""
        self.process = self._start()
        self.url, self.link = self._read_welcome()

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Send a signal to the service, and wait for its end."""
        self.process.send_signal(how)
        self.process.wait(60)
        if self.process.stdout is not None:
            self.process.stdout.close()


def until(holds: Callable[[], object], seconds: float = 120) -> None:
    """Wait until it holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.2)
