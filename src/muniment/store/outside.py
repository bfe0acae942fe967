"""Where the newest checkpoint is kept outside the home: a file elsewhere, or a ref of another git repository.

What cannot be reached is an error, never "there is none".
"""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from muniment.errors import ParseError, StoreError
from muniment.programs.addresses import Address, Scheme, hide_credentials, parse_address
from muniment.programs.command import Option, build_git_command
from muniment.programs.environment import (
    ANONYMOUS,
    account_environment,
    git_configuration,
    git_environment_in_place,
)
from muniment.programs.process import Finished, Limits, last_line, run
from muniment.programs.temporary import TemporaryFolder
from muniment.store import durable

CHECKPOINT = "checkpoint"
REF = f"refs/muniment/{CHECKPOINT}"

_GIT = "git:"
_SCHEMES = (Scheme.HTTPS, Scheme.SSH, Scheme.FILE)  # none by which somebody on the way could show an older checkpoint
_LARGEST = 1 << 20
_LIMITS = Limits(seconds=20, output=_LARGEST)
_REACH = "Make it reachable, or change [ledger] external_copy in home.toml; until then nothing can be recorded."
_CONFIGURATION = {"core.hooksPath": os.devnull, "gc.auto": "0"}
_MANY_LOOSE = 25  # objects in one of 256 folders


class Outside(Protocol):
    """A place for one checkpoint. Both raise StoreError if it cannot be reached."""

    def read(self) -> bytes | None:
        """What is there, None if nothing was ever put there."""

    def write(self, data: bytes) -> None:
        """Replace it, durably."""


def outside(where: str, home: Path, name: str = CHECKPOINT) -> Outside:
    """The place that home.toml of `home` names: `git:URL`, or a path. Raises StoreError for one that none may be.

    `name` is what is stored there: the checkpoint, or something beside it, in a file or ref of that name.
    """
    try:
        address = _parse(where, home)
    except ParseError as error:
        raise StoreError(
            f"the ledger's copy cannot be kept where [ledger] external_copy says: {error}", _REACH
        ) from None
    if address is None:
        return Beside(Path(where if name == CHECKPOINT else f"{where}.{name}"))
    local = address.scheme is Scheme.FILE
    return LocalRepository(address, name) if local else RemoteRepository(address, name)


def problem_with(where: str, home: Path) -> str:
    """Why the copy of the ledger in `home` cannot be kept there, "" if it can."""
    try:
        _parse(where, home)
    except ParseError as error:
        return error.message
    return ""


def _parse(where: str, home: Path) -> Address | None:
    """The repository that is named, None for a file. Raises ParseError for what may be neither."""
    address = parse_address(where.removeprefix(_GIT), _SCHEMES) if where.startswith(_GIT) else None
    if address is not None and address.scheme is not Scheme.FILE:
        return address
    path = Path(where if address is None else address.path)
    if not path.is_absolute() or not where.isprintable():
        raise ParseError("copy-path", "it is no full path", _REACH)
    if path.resolve().is_relative_to(home.resolve()):  # lost with the home, or in the place of a file of it
        raise ParseError("copy-path", "it is in the home itself", _REACH)
    return address


class Beside:
    """A file, on another disk or machine than the home. Its folder must be there already."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> bytes | None:
        """The file; None if its folder is there and it is not. Raises StoreError."""
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

    def _unreachable(self, why: str | None) -> StoreError:
        return StoreError(f"the ledger's copy outside the home, {self._file}, cannot be read ({why})", _REACH)


class _Repository:
    """The ref `refs/muniment/NAME` of a git repository: a commit whose tree holds one file, `NAME`.

    Each write is a commit on the one before, and none is forced: two who write at once cannot both succeed.
    """

    def __init__(self, address: Address, name: str = CHECKPOINT) -> None:
        self._address = address
        self._name = name
        self._ref = f"refs/muniment/{name}"

    def _content(self, environment: Mapping[str, str]) -> bytes:
        return self._git(environment, "cat-file", "blob", values=(f"{self._ref}:{self._name}",))

    def _commit(self, environment: Mapping[str, str], data: bytes, parent: str) -> str:
        """The id of a commit with this content, on top of `parent` ("" for none)."""
        blob = self._id(environment, "hash-object", "-w", "--stdin", given=data)
        tree = self._id(environment, "mktree", given=f"100644 blob {blob}\t{self._name}\n".encode())
        parents: list[Option] = [("-p", parent)] if parent else []
        return self._id({**environment, **ANONYMOUS}, "commit-tree", *parents, ("-m", self._name), values=(tree,))

    def _id(
        self,
        environment: Mapping[str, str],
        verb: str,
        *options: Option,
        values: Sequence[str] = (),
        given: bytes = b"",
    ) -> str:
        return self._git(environment, verb, *options, values=values, given=given).decode().strip()

    def _git(
        self,
        environment: Mapping[str, str],
        verb: str,
        *options: Option,
        values: Sequence[str] = (),
        given: bytes = b"",
    ) -> bytes:
        """What git prints. Raises StoreError if it fails."""
        done = self._finished(environment, verb, *options, values=values, given=given)
        if done.code:
            raise self._unreachable(last_line(done.err))
        return done.out

    def _finished(
        self,
        environment: Mapping[str, str],
        verb: str,
        *options: Option,
        values: Sequence[str] = (),
        given: bytes = b"",
    ) -> Finished:
        command = build_git_command(verb, options, values, (), self._failed)
        return run(command, environment, self._failed, input=given, limits=_LIMITS)

    def _failed(self, message: str, _: str) -> StoreError:
        return self._unreachable(message)

    def _unreachable(self, why: str) -> StoreError:
        where = hide_credentials(self._address.url)
        return StoreError(
            f"the ledger's copy outside the home, {where}, cannot be reached ({hide_credentials(why)})", _REACH
        )


class RemoteRepository(_Repository):
    """One that is reached over the network, as this account reaches it: the way there may need its SSH keys."""

    def read(self) -> bytes | None:
        """The file at the ref, None if the repository can be reached and has no such ref. Raises StoreError."""
        with self._scratch() as environment:
            return self._content(environment) if self._fetched(environment) else None

    def write(self, data: bytes) -> None:
        """A commit more. Raises StoreError."""
        with self._scratch() as environment:
            made = self._commit(environment, data, self._ref if self._fetched(environment) else "")
            self._git(environment, "push", "--quiet", "--no-verify", values=(self._address.url, f"{made}:{self._ref}"))

    def _fetched(self, environment: Mapping[str, str]) -> bool:
        if not self._git(environment, "ls-remote", "--refs", values=(self._address.url, self._ref)).strip():
            return False
        values = (self._address.url, f"+{self._ref}:{self._ref}")
        self._git(environment, "fetch", "--quiet", "--no-tags", "--depth=1", values=values)
        return True

    @contextlib.contextmanager
    def _scratch(self) -> Iterator[Mapping[str, str]]:
        """The environment for git in a repository that is there meanwhile."""
        with TemporaryFolder() as folder:
            environment = account_environment(
                {
                    **git_configuration(_CONFIGURATION),
                    "GIT_DIR": folder,
                    "GIT_TERMINAL_PROMPT": "0",
                    "GIT_ALLOW_PROTOCOL": self._address.scheme,
                    "GIT_SSH_COMMAND": os.environ.get("GIT_SSH_COMMAND", "ssh -o BatchMode=yes"),
                    "LC_ALL": "C",
                }
            )
            self._git(environment, "init", "--quiet", "--bare", "--template=")
            yield environment


class LocalRepository(_Repository):
    """One on this machine, such as on a disk from elsewhere: its own hooks and configuration run nothing as us."""

    def read(self) -> bytes | None:
        """The file at the ref, None if there is a repository without such a ref. Raises StoreError."""
        environment = self._environment()
        return self._content(environment) if self._tip(environment) else None

    def write(self, data: bytes) -> None:
        """A commit more, if nobody else's came meanwhile. Raises StoreError."""
        environment = self._environment()
        tip = self._tip(environment)
        made = self._commit(environment, data, tip)
        self._git(environment, "update-ref", values=(self._ref, made, tip or "0" * len(made)))
        with contextlib.suppress(OSError, StoreError):  # it is kept; what is loose now is packed after a later one
            if len(os.listdir(Path(environment["GIT_DIR"], "objects", "17"))) > _MANY_LOOSE:
                self._git(environment, "repack", "-a", "-d", "-q")

    def _environment(self) -> dict[str, str]:
        folder = Path(self._address.path)
        inside = folder / ".git"
        settings = {"core.fsync": "committed,reference"}
        return git_environment_in_place({"GIT_DIR": str(inside if inside.exists() else folder)}, settings)

    def _tip(self, environment: Mapping[str, str]) -> str:
        """The newest commit at the ref, "" if there is none."""
        done = self._finished(environment, "rev-parse", "--quiet", "--verify", values=(self._ref,))
        if done.code not in (0, 1):
            raise self._unreachable(last_line(done.err))
        return done.out.decode().strip()
