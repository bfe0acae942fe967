"""git runs as a child that inherits nothing of ours and is bounded in time, memory and output."""

import os
import resource
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import IO, NamedTuple

from muniment.errors import GitError
from muniment.facts import paths

OUTPUT_LIMIT = 256 << 20
MEMORY_LIMIT = 4 << 30
FILE_LIMIT = 1 << 30
_PIECE = 1 << 16

# Whatever the repository or its owner configured: no replaced objects, no fetching of what is missing, no
# question to a terminal, no lock that can be spared. HOME does not exist, so nothing is read from there.
_ENVIRONMENT = {
    "LC_ALL": "C",
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
}


class Finished(NamedTuple):
    """What a child left: its exit code (negative: the signal that ended it), output and complaints."""

    code: int
    out: bytes
    err: bytes


def environment(more: Mapping[str, str], configuration: Mapping[str, str] | None = None) -> dict[str, str]:
    """A child's whole environment: PATH is ours, the rest comes from here, `more` and `configuration`.

    The latter outweighs what any file of the repository says.
    """
    given = configuration or {}
    pairs = {"GIT_CONFIG_COUNT": str(len(given))}
    for place, (key, value) in enumerate(given.items()):
        pairs |= {f"GIT_CONFIG_KEY_{place}": key, f"GIT_CONFIG_VALUE_{place}": value}
    return {"PATH": os.environ.get("PATH", os.defpath), **_ENVIRONMENT, **pairs, **more}


def run(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    input: bytes = b"",
    timeout: float = 20,
    cwd: str = "/",
) -> Finished:
    """Runs `git` with `arguments` to its end.

    `timeout` in seconds. Raises GitError if git is not there, takes longer, or prints more than OUTPUT_LIMIT.
    """
    with tempfile.TemporaryFile() as given:
        given.write(input)
        given.seek(0)
        with Child(arguments, environment, timeout=timeout, cwd=cwd, stdin=given) as child:
            return child.finish()


class Child:
    """A git that is running, in a session of its own. Leaving the `with` ends it and all that it started."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        timeout: float = 20,
        cwd: str = "/",
        stdin: IO[bytes] | None = None,
    ) -> None:
        """`timeout`: seconds that each answer may take. Without `stdin` there is `ask`. Raises GitError."""
        self._name = f"git {arguments[0]}"
        self._timeout = timeout
        self._buffer = bytearray()
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        try:
            self._process = _started(arguments, environment, cwd, stdin, self._complaints)
        except GitError:
            self._complaints.close()
            raise
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        self._out = self._process.stdout.fileno()
        self._poll = select.poll()
        self._poll.register(self._out, select.POLLIN)

    def __enter__(self) -> "Child":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the child, kindly only if it has ended by itself."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._complaints):
            if file is not None:
                file.close()

    def ask(self, request: bytes) -> None:
        """Writes at most 4,096 bytes (a pipe always takes so many) to a child that waits for them."""
        assert self._process.stdin is not None  # noqa: S101 - only called if it is a pipe
        try:
            os.write(self._process.stdin.fileno(), request)
        except BrokenPipeError as error:
            raise self.failure() from error

    def finish(self) -> Finished:
        """All that the child prints until it ends."""
        deadline = time.monotonic() + self._timeout
        pieces = bytearray()
        while piece := self.piece(deadline):
            pieces += piece
            if len(pieces) > OUTPUT_LIMIT:
                raise GitError(
                    f"{self._name} prints more than {OUTPUT_LIMIT >> 20} MiB", "Judge fewer commits at once."
                )
        return Finished(self._ended(deadline), bytes(pieces), self.complaints())

    def piece(self, deadline: float | None = None) -> bytes:
        """Some bytes as soon as there are any, none at the end. Raises GitError at the deadline."""
        left = self._timeout if deadline is None else deadline - time.monotonic()
        if left <= 0 or not self._poll.poll(left * 1000):
            raise self._too_slow()
        return os.read(self._out, _PIECE)

    def line(self) -> bytes:
        """The next line, without its end. Raises GitError if the child ends before."""
        while (end := self._buffer.find(b"\n")) < 0:
            self._more()
        found = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return found

    def exactly(self, size: int) -> bytes:
        """The next `size` bytes. Raises GitError if the child ends before."""
        while len(self._buffer) < size:
            self._more()
        found = bytes(self._buffer[:size])
        del self._buffer[:size]
        return found

    def failure(self) -> GitError:
        """The error to raise for a child that ended before its time."""
        return refusal(self._name, self.complaints())

    def complaints(self) -> bytes:
        """What it wrote to its standard error: the first 64 KiB."""
        self._complaints.seek(0)
        return self._complaints.read(_PIECE)

    def _more(self) -> None:
        piece = self.piece()
        if not piece:
            raise self.failure()
        self._buffer += piece

    def _ended(self, deadline: float) -> int:
        try:
            return self._process.wait(max(0.01, deadline - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise self._too_slow() from error

    def _too_slow(self) -> GitError:
        return GitError(
            f"{self._name} took longer than {self._timeout:g} seconds",
            "Try again when the machine is less busy.",
        )


def refusal(name: str, complaints: bytes) -> GitError:
    """The error for a git that failed, with the last line of its complaints."""
    lines = complaints.strip().splitlines() or [b"it gave no reason"]
    said = paths.from_bytes(lines[-1][:300].strip())
    return GitError(f"{name} failed: {said}", "Look at the repository with git fsck, or fetch it anew.")


def _started(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    cwd: str,
    stdin: IO[bytes] | None,
    stderr: IO[bytes],
) -> subprocess.Popen[bytes]:
    try:
        process = subprocess.Popen(
            ["git", *arguments],
            env=environment,
            cwd=cwd,
            stdin=subprocess.PIPE if stdin is None else stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            bufsize=0,
            start_new_session=True,
        )
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        what = f"{cwd} is not a folder that can be entered" if error.filename == cwd else "git cannot be started"
        raise GitError(what, "Install git 2.39 or newer, and name an existing repository.") from error
    _bound(process.pid)
    return process


def _bound(pid: int) -> None:
    """Hostile objects can ask for much: no child gets more memory, nor writes a larger file, than this."""
    if hasattr(resource, "prlimit"):
        try:
            resource.prlimit(pid, resource.RLIMIT_DATA, (MEMORY_LIMIT, MEMORY_LIMIT))
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (FILE_LIMIT, FILE_LIMIT))
        except (ProcessLookupError, PermissionError, ValueError):
            return  # it has ended already, or the machine sets a lower limit
