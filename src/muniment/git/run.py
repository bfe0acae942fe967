"""git, as `programs` starts it: what it complains of is a GitError."""

from collections.abc import Mapping, Sequence
from typing import IO

from muniment.errors import GitError
from muniment.programs import process
from muniment.programs.command import Option, build_git_command
from muniment.programs.process import USUAL, Finished, Limits


def run(
    verb: str,
    options: Sequence[Option],
    environment: Mapping[str, str],
    *,
    values: Sequence[str] = (),
    paths: Sequence[str] = (),
    input: bytes = b"",
    cwd: str = "/",
    limits: Limits = USUAL,
) -> Finished:
    """Run `git VERB` to its end.

    `options` are ours, `values` and `paths` may be anybody's: none of them becomes an option. Raises GitError if git is
    not there, is not given one of them, takes longer, or prints too much.
    """
    command = build_git_command(verb, options, values, paths, GitError)
    return process.run(command, environment, GitError, input=input, cwd=cwd, limits=limits)


class Child(process.Child):
    """A git that is running, in a session of its own. Leaving the `with` ends it and all that it started."""

    def __init__(
        self,
        verb: str,
        options: Sequence[Option],
        environment: Mapping[str, str],
        *,
        timeout: float = USUAL.seconds,
        stdin: IO[bytes] | None = None,
    ) -> None:
        """`timeout`: seconds that each answer may take. Without `stdin` there is `ask`. Raises GitError."""
        command = build_git_command(verb, options, (), (), GitError)
        super().__init__(command, environment, GitError, stdin, limits=USUAL._replace(seconds=timeout))

    def failure(self) -> GitError:
        """The error to raise for a git that ended before its time."""
        return refusal(self.name, self.complaints())


def refusal(name: str, complaints: bytes) -> GitError:
    """The error for a git that failed, with the last line of its complaints."""
    said = process.last_line(complaints)
    return GitError(f"{name} failed: {said}", "Look at the repository with git fsck, or fetch it anew.")
