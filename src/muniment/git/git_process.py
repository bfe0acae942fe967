"""Runs git through `programs`; its complaints become GitErrors."""

from collections.abc import Mapping, Sequence
from typing import IO

from muniment.errors import GitError
from muniment.programs import process
from muniment.programs.command import ProgramOption, build_git_command
from muniment.programs.process import DEFAULT_LIMITS, ProcessLimits, ProcessResult


def run_git(
    verb: str,
    options: Sequence[ProgramOption],
    environment: Mapping[str, str],
    *,
    values: Sequence[str] = (),
    paths: Sequence[str] = (),
    input: bytes = b"",
    cwd: str = "/",
    limits: ProcessLimits = DEFAULT_LIMITS,
) -> ProcessResult:
    """Run `git VERB` to its end.

    `options` are ours, `values` and `paths` may be anybody's: none of them becomes an option. Raises GitError if git is
    missing, refuses a value, takes longer, or prints too much.
    """
    command = build_git_command(verb, options, values, paths, GitError)
    return process.run_program(command, environment, GitError, input=input, cwd=cwd, limits=limits)


class GitProcess(process.ChildProcess):
    """A running git, in a session of its own. Leaving the `with` ends it and all that it started."""

    def __init__(
        self,
        verb: str,
        options: Sequence[ProgramOption],
        environment: Mapping[str, str],
        *,
        timeout: float = DEFAULT_LIMITS.seconds,
        stdin: IO[bytes] | None = None,
    ) -> None:
        """`timeout`: seconds that each answer may take. Without `stdin`, requests can be written. Raises GitError."""
        command = build_git_command(verb, options, (), (), GitError)
        super().__init__(command, environment, GitError, stdin, limits=DEFAULT_LIMITS._replace(seconds=timeout))

    def make_failure(self) -> GitError:
        """Error for a git that ended too early."""
        return git_error(self.name, self.read_stderr())


def git_error(name: str, complaints: bytes) -> GitError:
    """Error for a git that failed, with the last line of its complaints."""
    last_line = process.find_last_line(complaints)
    return GitError(f"{name} failed: {last_line}", "Look at the repository with git fsck, or fetch it anew.")
