"""Where the newest checkpoint is kept outside the home: a file elsewhere, or a ref of another git repository.

What cannot be reached is an error, never "there is none".
"""

import contextlib
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from muniment.errors import HomeError
from muniment.home import durable

REF = "refs/muniment/checkpoint"

_GIT = "git:"
_SECONDS = 20
_LARGEST = 1 << 20
_REACH = "Make it reachable, or change [ledger] outside in home.toml; until then nothing can be recorded."
_CREDENTIALS = re.compile(r"//[^/@\s]*@")
_NAMELESS = {"NAME": "muniment", "EMAIL": "muniment@localhost"}
_CONFIGURATION = ("-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", "-c", "protocol.ext.allow=never")


class Outside(Protocol):
    """A place for one checkpoint. Both raise HomeError if it cannot be reached."""

    def read(self) -> bytes | None:
        """What is there, None if nothing was ever put there."""

    def write(self, data: bytes) -> None:
        """Replace it, durably."""


def outside(where: str) -> Outside:
    """The place that home.toml names: `git:URL`, or a path."""
    return Elsewhere(where.removeprefix(_GIT)) if where.startswith(_GIT) else Beside(Path(where))


class Beside:
    """A file, on another disk or machine than the home. Its folder must be there already."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> bytes | None:
        """The file; None if its folder is there and it is not. Raises HomeError."""
        try:
            with self._file.open("rb") as stream:
                return stream.read(_LARGEST)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and self._file.parent.is_dir():
                return None
            raise self._unreachable(error.strerror) from error

    def write(self, data: bytes) -> None:
        """The whole file, in one step. A folder that is gone is not made: what should be there may be unmounted."""
        if not self._file.parent.is_dir():
            raise self._unreachable("its folder is gone")
        durable.write(self._file, data, 0o644)

    def _unreachable(self, why: str | None) -> HomeError:
        return HomeError(f"the ledger's copy outside the home, {self._file}, cannot be read ({why})", _REACH)


class Elsewhere:
    """The ref `refs/muniment/checkpoint` of a git repository: a commit whose tree holds one file, `checkpoint`.

    Each write is a commit on the one before, and none is forced: two who write at once cannot both succeed.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def read(self) -> bytes | None:
        """The file at the ref, None if the repository can be reached and has no such ref. Raises HomeError."""
        with self._scratch() as folder:
            return self._git(folder, "cat-file", "blob", f"{REF}:checkpoint") if self._fetched(folder) else None

    def write(self, data: bytes) -> None:
        """A commit more. Raises HomeError."""
        with self._scratch() as folder:
            parents = ("-p", REF) if self._fetched(folder) else ()
            blob = self._git(folder, "hash-object", "-w", "--stdin", given=data).decode().strip()
            tree = self._git(folder, "mktree", given=f"100644 blob {blob}\tcheckpoint\n".encode()).decode().strip()
            made = self._git(folder, "commit-tree", tree, *parents, "-m", "checkpoint").decode().strip()
            self._git(folder, "push", "-q", "--no-verify", self._url, f"{made}:{REF}")

    def _fetched(self, folder: str) -> bool:
        listed = self._git(folder, "ls-remote", "--refs", self._url, REF)
        if not listed.strip():
            return False
        self._git(folder, "fetch", "-q", "--no-tags", "--depth=1", self._url, f"+{REF}:{REF}")
        return True

    @contextlib.contextmanager
    def _scratch(self) -> Iterator[str]:
        with tempfile.TemporaryDirectory(prefix="muniment-") as folder:
            self._git(folder, "init", "-q", "--bare", ".")
            yield folder

    def _git(self, folder: str, *arguments: str, given: bytes = b"") -> bytes:
        """What git prints. It runs with the account's own configuration: the way there may need its SSH keys."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as complaints:
            try:
                process = subprocess.Popen(
                    ["git", *_CONFIGURATION, *arguments],
                    cwd=folder,
                    env=_environment(folder),
                    stdin=subprocess.PIPE,
                    stdout=out,
                    stderr=complaints,
                    start_new_session=True,
                )
            except OSError as error:
                raise self._unreachable("git cannot be started") from error
            try:
                process.communicate(given, timeout=_SECONDS)
            except subprocess.TimeoutExpired as error:
                raise self._unreachable(f"it took longer than {_SECONDS} seconds") from error
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            if process.returncode:
                complaints.seek(0)
                raise self._unreachable(_last_line(complaints.read(_LARGEST)))
            out.seek(0)
            return out.read(_LARGEST)

    def _unreachable(self, why: str) -> HomeError:
        shown = _CREDENTIALS.sub("//", self._url)
        why = _CREDENTIALS.sub("//", why)
        return HomeError(f"the ledger's copy outside the home, {shown}, cannot be reached ({why})", _REACH)


def _environment(folder: str) -> dict[str, str]:
    """The account's own, less what git was told of another repository: this may run inside a hook."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    who = {f"GIT_{role}_{field}": value for role in ("AUTHOR", "COMMITTER") for field, value in _NAMELESS.items()}
    return {
        **own,
        **who,
        "GIT_DIR": folder,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "file:ssh:https:http:git",
        "GIT_SSH_COMMAND": os.environ.get("GIT_SSH_COMMAND", "ssh -o BatchMode=yes"),
        "LC_ALL": "C",
    }


def _last_line(complaints: bytes) -> str:
    lines = complaints.decode("utf-8", "replace").strip().splitlines() or ["git gave no reason"]
    return "".join(c for c in lines[-1][:200] if c.isprintable())
