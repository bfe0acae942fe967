"""People with a laptop each: a clone of the server, git, the program, their key, and nothing else."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.support.hooked_remote import HookedRemote

_REMOTE = re.compile(r"^remote: ?", re.MULTILINE)
_TAIL = re.compile(r"\x1b\[K *$|[ \t]+$")


class Ran(NamedTuple):
    """Outcome of a command: its exit code, and its whole output."""

    code: int
    text: str

    @property
    def line(self) -> str:
        """The text as one line."""
        return " ".join(_REMOTE.sub(" ", self.text).split())

    def commands(self, verb: str = "") -> list[str]:
        """The commands that the text shows, each in a line of its own, that begin with `verb`."""
        lines = [_TAIL.sub("", _REMOTE.sub("", line)) for line in self.text.splitlines()]
        visible = [line.strip() for line in lines if line.startswith("    ") and line.strip()[:4] in ("git ", "muni")]
        return [line for line in visible if line.startswith(verb)]


class Laptop:
    """One person's. `clone` is a work tree."""

    def __init__(self, remote: HookedRemote, person: str, folder: Path) -> None:
        self.remote = remote
        self.person = person
        self.clone = folder / f"laptop-{person}"
        self._binaries = folder / "bin"
        self._binaries.mkdir(exist_ok=True)
        program = self._binaries / "muniment"
        if not program.exists():
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m muniment "$@"\n')
            program.chmod(0o755)
        self.run(f"git clone -q '{remote.url}' '{self.clone}'", folder)
        for name, value in (
            ("user.name", person.title()),
            ("user.email", f"{person}@example.test"),
            ("user.signingKey", str(remote.keys[person])),
        ):
            self.run(f"git config {name} '{value}'")

    def run(self, line: str, folder: Path | None = None, *, typed: str = "") -> Ran:
        """A command line in a shell, as the person types it, and what they type then. Output and errors are one."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "MUNIMENT_", "SSH_"))}
        own |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(self._binaries)}
        own |= {"PATH": f"{self._binaries}:{own['PATH']}", "MUNIMENT_PUSHER": self.person}
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=folder or self.clone,
            env=own,
            input=typed.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=120,
        )
        self.remote.wait_for_hooks()
        return Ran(done.returncode, done.stdout.decode("utf-8", "replace"))

    def follow(self, *commands: str, typed: str = "") -> Ran:
        """Run commands word for word; each must succeed. What the last one gave."""
        ran = Ran(0, "")
        for command in commands:
            ran = self.run(command, typed=typed)
            assert ran.code == 0, f"{self.person}: {command}\n{ran.text}"
        return ran

    def commit(self, files: dict[str, str], branch: str = "topic", *, email: str = "") -> str:
        """Commit files on a branch that begins where origin/main is; its id."""
        self.follow("git fetch -q origin", f"git checkout -q -B {branch} origin/main")
        for name, text in files.items():
            (self.clone / name).parent.mkdir(parents=True, exist_ok=True)
            (self.clone / name).write_text(text)
        author = f"-c user.email={email}" if email else ""
        self.follow("git add -A", f"git {author} commit -q -m change")
        return self.run("git rev-parse HEAD").text.strip()

    def settle(self, denied: Ran, *, typed: str = "") -> Ran:
        """Follow a denial as a reviewer: fetch, the statement that is shown first, its push as that shows."""
        self.follow(*denied.commands("git fetch"))
        made = self.follow(denied.commands("muniment approve")[0], typed=typed)
        return self.follow(*made.commands("git push"))
