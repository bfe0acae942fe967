"""The external copy of the newest checkpoint: a file elsewhere, or a ref of another git repository.

An unreachable copy is an error, never a missing one.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from muniment.errors import ParseError, StoreError
from muniment.programs.command import ProgramOption, build_git_command
from muniment.programs.credential_hiding import hide_credentials
from muniment.programs.environment import (
    ANONYMOUS,
    account_environment,
    git_configuration,
    git_environment_in_place,
)
from muniment.programs.process import ProcessLimits, ProcessResult, find_last_line, run_program
from muniment.programs.repository_addresses import RepositoryAddress, Scheme, parse_repository_address
from muniment.programs.temporary_files import TemporaryFolder
from muniment.store import durable_files

COPIED_CHECKPOINT = "checkpoint"
CHECKPOINT_REF = f"refs/muniment/{COPIED_CHECKPOINT}"

_GIT = "git:"
_SCHEMES = (Scheme.HTTPS, Scheme.SSH, Scheme.FILE)  # none by which somebody on the way could show an older checkpoint
_LARGEST = 1 << 20
_LIMITS = ProcessLimits(seconds=20, output=_LARGEST)
_REACH_REMEDY = "Make it reachable, or change [ledger] external_copy in home.toml; until then nothing can be recorded."
_CONFIGURATION = {"core.hooksPath": os.devnull, "gc.auto": "0"}
_MANY_LOOSE = 25  # objects in one of 256 folders


class ExternalCopy(Protocol):
    """A place for one checkpoint. Both methods raise StoreError if it cannot be reached."""

    def read_copy(self) -> bytes | None:
        """Content of the copy, None if it was never written."""

    def write_copy(self, data: bytes) -> None:
        """Replace the content, durably."""


def open_external_copy(where: str, home: Path, name: str = COPIED_CHECKPOINT) -> ExternalCopy:
    """The place that home.toml of `home` names: `git:URL`, or a path.

    Raises StoreError for a place that is not allowed. `name`: the checkpoint, or another file that is stored with it,
    in a file or ref of that name.
    """
    try:
        address = _parse_place(where, home)
    except ParseError as error:
        raise StoreError(
            f"the ledger's copy cannot be kept where [ledger] external_copy says: {error}", _REACH_REMEDY
        ) from None
    if address is None:
        return FileCopy(Path(where if name == COPIED_CHECKPOINT else f"{where}.{name}"))
    local = address.scheme is Scheme.FILE
    return LocalRepositoryCopy(address, name) if local else RemoteRepositoryCopy(address, name)


def explain_invalid_copy(where: str, home: Path) -> str:
    """Reason why the copy of the ledger in `home` cannot be stored there, "" if it can."""
    try:
        _parse_place(where, home)
    except ParseError as error:
        return error.message
    return ""


def _parse_place(where: str, home: Path) -> RepositoryAddress | None:
    """Repository that is named, None for a file. Raises ParseError for any other place."""
    address = parse_repository_address(where.removeprefix(_GIT), _SCHEMES) if where.startswith(_GIT) else None
    if address is not None and address.scheme is not Scheme.FILE:
        return address
    path = Path(where if address is None else address.path)
    if not path.is_absolute() or not where.isprintable():
        raise ParseError("copy-path", "it is no full path", _REACH_REMEDY)
    if path.resolve().is_relative_to(home.resolve()):  # lost with the home, or in the place of a file of it
        raise ParseError("copy-path", "it is in the home itself", _REACH_REMEDY)
    return address


class FileCopy:
    """A file, on another disk or machine than the home. Its folder must exist already."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read_copy(self) -> bytes | None:
        """The file; None if its folder exists and it does not. Raises StoreError."""
        try:
            with self._file.open("rb") as stream:
                return stream.read(_LARGEST)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and self._file.parent.is_dir():
                return None
            raise self._unreachable_error(error.strerror) from error

    def write_copy(self, data: bytes) -> None:
        """Write the whole file, in one step. A missing folder is not made: its disk may be unmounted."""
        if not self._file.parent.is_dir():
            raise self._unreachable_error("its folder is gone")
        durable_files.write_file(self._file, data, 0o644)

    def _unreachable_error(self, why: str | None) -> StoreError:
        return StoreError(f"the ledger's copy outside the home, {self._file}, cannot be read ({why})", _REACH_REMEDY)


class _RepositoryCopy:
    """The ref `refs/muniment/NAME` of a git repository: a commit whose tree has one file, `NAME`.

    Each write is a commit on the one before, and none is forced: two concurrent writers cannot both succeed.
    """

    def __init__(self, address: RepositoryAddress, name: str = COPIED_CHECKPOINT) -> None:
        self._address = address
        self._name = name
        self._ref = f"refs/muniment/{name}"

    def _read_content(self, environment: Mapping[str, str]) -> bytes:
        return self._run_git(environment, "cat-file", "blob", values=(f"{self._ref}:{self._name}",))

    def _make_commit(self, environment: Mapping[str, str], data: bytes, parent: str) -> str:
        """Id of a commit with this content, on top of `parent` ("" for none)."""
        blob = self._run_for_id(environment, "hash-object", "-w", "--stdin", given=data)
        tree = self._run_for_id(environment, "mktree", given=f"100644 blob {blob}\t{self._name}\n".encode())
        parents: list[ProgramOption] = [("-p", parent)] if parent else []
        return self._run_for_id(
            {**environment, **ANONYMOUS}, "commit-tree", *parents, ("-m", self._name), values=(tree,)
        )

    def _run_for_id(
        self,
        environment: Mapping[str, str],
        verb: str,
        *options: ProgramOption,
        values: Sequence[str] = (),
        given: bytes = b"",
    ) -> str:
        return self._run_git(environment, verb, *options, values=values, given=given).decode().strip()

    def _run_git(
        self,
        environment: Mapping[str, str],
        verb: str,
        *options: ProgramOption,
        values: Sequence[str] = (),
        given: bytes = b"",
    ) -> bytes:
        """Output of git. Raises StoreError if it fails."""
        done = self._run_to_end(environment, verb, *options, values=values, given=given)
        if done.code:
            raise self._unreachable_error(find_last_line(done.err))
        return done.out

    def _run_to_end(
        self,
        environment: Mapping[str, str],
        verb: str,
        *options: ProgramOption,
        values: Sequence[str] = (),
        given: bytes = b"",
    ) -> ProcessResult:
        command = build_git_command(verb, options, values, (), self._convert_failure)
        return run_program(command, environment, self._convert_failure, input=given, limits=_LIMITS)

    def _convert_failure(self, message: str, _: str) -> StoreError:
        return self._unreachable_error(message)

    def _unreachable_error(self, why: str) -> StoreError:
        where = hide_credentials(self._address.url)
        return StoreError(
            f"the ledger's copy outside the home, {where}, cannot be reached ({hide_credentials(why)})", _REACH_REMEDY
        )


class RemoteRepositoryCopy(_RepositoryCopy):
    """A repository that this account reaches over the network, perhaps with its SSH keys."""

    def read_copy(self) -> bytes | None:
        """The file at the ref, None if the repository can be reached and has no such ref. Raises StoreError."""
        with self._make_scratch_repository() as environment:
            return self._read_content(environment) if self._fetch_ref(environment) else None

    def write_copy(self, data: bytes) -> None:
        """Push one more commit. Raises StoreError."""
        with self._make_scratch_repository() as environment:
            made = self._make_commit(environment, data, self._ref if self._fetch_ref(environment) else "")
            self._run_git(
                environment, "push", "--quiet", "--no-verify", values=(self._address.url, f"{made}:{self._ref}")
            )

    def _fetch_ref(self, environment: Mapping[str, str]) -> bool:
        if not self._run_git(environment, "ls-remote", "--refs", values=(self._address.url, self._ref)).strip():
            return False
        values = (self._address.url, f"+{self._ref}:{self._ref}")
        self._run_git(environment, "fetch", "--quiet", "--no-tags", "--depth=1", values=values)
        return True

    @contextlib.contextmanager
    def _make_scratch_repository(self) -> Iterator[Mapping[str, str]]:
        """The environment for git in a temporary repository."""
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
            self._run_git(environment, "init", "--quiet", "--bare", "--template=")
            yield environment


class LocalRepositoryCopy(_RepositoryCopy):
    """A repository on this machine, such as on an external disk: its own hooks and configuration run nothing as us."""

    def read_copy(self) -> bytes | None:
        """The file at the ref, None if there is a repository without such a ref. Raises StoreError."""
        environment = self._make_environment()
        return self._read_content(environment) if self._find_tip(environment) else None

    def write_copy(self, data: bytes) -> None:
        """Add one more commit, unless another one came meanwhile. Raises StoreError."""
        environment = self._make_environment()
        tip = self._find_tip(environment)
        made = self._make_commit(environment, data, tip)
        self._run_git(environment, "update-ref", values=(self._ref, made, tip or "0" * len(made)))
        with contextlib.suppress(OSError, StoreError):  # it is kept; what is loose now is packed after a later one
            if len(os.listdir(Path(environment["GIT_DIR"], "objects", "17"))) > _MANY_LOOSE:
                self._run_git(environment, "repack", "-a", "-d", "-q")

    def _make_environment(self) -> dict[str, str]:
        folder = Path(self._address.path)
        inside = folder / ".git"
        settings = {"core.fsync": "committed,reference"}
        return git_environment_in_place({"GIT_DIR": str(inside if inside.exists() else folder)}, settings)

    def _find_tip(self, environment: Mapping[str, str]) -> str:
        """The newest commit at the ref, "" if there is none."""
        done = self._run_to_end(environment, "rev-parse", "--quiet", "--verify", values=(self._ref,))
        if done.code not in (0, 1):
            raise self._unreachable_error(find_last_line(done.err))
        return done.out.decode().strip()
