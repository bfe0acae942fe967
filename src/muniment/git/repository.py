"""A repository is evaluated from its objects, in a throwaway that borrows them; the real one gives refs."""

import os
import re
from collections.abc import Collection, Mapping, Sequence
from types import TracebackType
from typing import IO

from muniment.errors import GitError, UsageError
from muniment.git import cached_answers, ref_files
from muniment.git.git_process import GitProcess, git_error, run_git
from muniment.git.objects import ObjectReader
from muniment.git.throwaway_repository import ThrowawayRepository
from muniment.programs.command import ProgramOption
from muniment.programs.environment import git_environment_in_place
from muniment.programs.process import ProcessLimits

# The only commands that see the repository's own configuration: none of them reads or runs what it names.
_IN_PLACE = frozenset(
    {"rev-parse", "for-each-ref", "symbolic-ref", "update-ref", "hash-object", "mktree", "commit-tree"}
)
_QUESTIONS: tuple[ProgramOption, ...] = (
    "--path-format=absolute",
    "--git-dir",
    "--git-common-dir",
    ("--git-path", "objects"),
    "--show-object-format",
    "--is-shallow-repository",
    "--is-bare-repository",
)
_ANSWERS = 6  # lines to those
_FULL_ID = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_HEAD = re.compile(rb"ref: (refs/heads/[!-~\x80-\xff]+)\n")
_LONGEST_HEAD = 4096  # bytes
_STAND_IN = b"refs/heads/.invalid"
_NO_REVISION = re.compile(r"^-|[\0\n]")


class Repository:
    """Open repository: `with Repository.open(path) as repository`.

    `path` as the person gave it; `git_dir` absolute, the one that all work trees share; `object_format` is `sha1` or
    `sha256`; `shallow`: history is cut off somewhere; `bare`: nothing is checked out. `ours`: only we write there, so
    an index over its packs is trusted.
    """

    def __init__(
        self,
        path: str,
        git_dir: str,
        common_dir: str,
        object_directories: tuple[str, ...],
        object_format: str,
        shallow: bool,
        bare: bool,
        ours: bool = False,
    ) -> None:
        self.path = path
        self.git_dir = common_dir
        self.object_format = object_format
        self.shallow = shallow
        self.bare = bare
        self._ours = ours
        index = {"core.multiPackIndex": "true" if ours else "false"}
        self._environment = git_environment_in_place({"GIT_DIR": git_dir}, index)
        self.throwaway = ThrowawayRepository(object_directories, object_format, indexed=ours)
        self._copy = cached_answers.identify_copy(git_dir) if ours and not shallow else None
        self.objects = ObjectReader(
            lambda: self.start_git("cat-file", "--batch-command", "--buffer"), object_format, self._copy
        )

    @classmethod
    def open(cls, path: str, object_directories: tuple[str, ...] = ()) -> "Repository":
        """The repository at `path`: a work tree, a folder in one, a bare repository, or a `.git`.

        `object_directories` are further places of objects, such as the quarantine of a push. Raises
        UsageError if there is no repository, GitError if git cannot be started.
        """
        folder = os.path.abspath(path)
        if not os.path.isdir(folder):
            raise UsageError(f"{path} is not a folder", "Name the folder of a git repository with --repo.")
        finished = run_git("rev-parse", _QUESTIONS, git_environment_in_place({}), cwd=folder)
        lines = finished.out.split(b"\n")
        if finished.code or len(lines) != _ANSWERS + 1:
            raise _no_repository_error(path, finished.err)
        git_dir, common_dir, objects, object_format, shallow, bare = lines[:-1]
        return cls(
            path,
            os.fsdecode(git_dir),
            os.fsdecode(common_dir),
            (*object_directories, os.fsdecode(objects)),
            object_format.decode(),
            shallow == b"true",
            bare == b"true",
        )

    @classmethod
    def open_own_copy(cls, folder: str) -> "Repository":
        """The bare repository that we made in `folder` (absolute), with SHA-1 names: no git is started for it."""
        shallow = os.path.exists(os.path.join(folder, "shallow"))
        objects = (os.path.join(folder, "objects"),)
        return cls(folder, folder, folder, objects, "sha1", shallow, bare=True, ours=True)

    def __enter__(self) -> "Repository":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the children and remove the throwaway. A second time does nothing."""
        self.objects.close()
        self.throwaway.remove_folder()

    def read_refs(self, *patterns: str) -> dict[str, str]:
        """Value of each ref (maybe a tag object), by full name; `patterns` as for-each-ref."""
        found = ref_files.read_refs(self.git_dir, patterns) if self._ours else None
        if found is not None:
            return found
        out = self.run_in_place("for-each-ref", "--format=%(objectname) %(refname)", values=patterns)
        lines = out.decode("utf-8", "surrogateescape").split("\n")[:-1]  # a name may hold other line ends
        return {name: object_id for object_id, _, name in (line.partition(" ") for line in lines)}

    def find_head_branch(self) -> str:
        """The full ref that HEAD points to, "" if it is detached.

        Read from the file, unless it is a link, or a placeholder for a ref stored elsewhere (reftable).
        """
        file = os.path.join(self._environment["GIT_DIR"], "HEAD")
        try:
            with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW), "rb") as stream:
                found = _HEAD.fullmatch(stream.read(_LONGEST_HEAD))
        except OSError:
            found = None  # git says why
        if found is not None and found[1] != _STAND_IN:
            return os.fsdecode(found[1])
        return os.fsdecode(self.run_in_place("symbolic-ref", "--quiet", values=("HEAD",), codes=(0, 1)).strip())

    def resolve_commit(self, revision: str) -> str:
        """The full id of the commit that `revision` names. Raises UsageError if it names none."""
        if _FULL_ID.fullmatch(revision):
            there = self.objects.read_git_object(revision)
            found = revision if there is not None and there.kind == "commit" else ""
        else:
            found = self._resolve_name(revision)
        if not found:
            raise UsageError(f"{revision} is not a commit here", "Fetch it, or name another commit or branch.")
        return found

    def _resolve_name(self, revision: str) -> str:
        if _NO_REVISION.search(revision):
            return ""
        values = (revision + "^{commit}",)
        return self.run_in_place("rev-parse", "--quiet", "--verify", values=values, codes=(0, 1, 128)).decode().strip()

    def run_git(
        self,
        verb: str,
        *options: ProgramOption,
        values: Sequence[str] = (),
        paths: Sequence[str] = (),
        input: bytes = b"",
        timeout: float = 20,
        codes: Collection[int] = (0,),
    ) -> bytes:
        """Output of `git VERB` in the throwaway repository, where there are objects and no refs.

        `options` are ours; `values` (revisions) and `paths` may be anybody's. `timeout` in seconds. Raises GitError for
        an exit code that is not in `codes`, and for any complaint: git prints none when all could be read; some
        commands only complain of a missing commit and go on.
        """
        limits = ProcessLimits(seconds=timeout)
        environment = self.throwaway.environment
        finished = run_git(verb, options, environment, values=values, paths=paths, input=input, limits=limits)
        if finished.code not in codes or finished.err:
            raise self._make_refusal(verb, finished.err)
        return finished.out

    def run_git_once(
        self,
        verb: str,
        *options: ProgramOption,
        values: Sequence[str] = (),
        input: bytes = b"",
        timeout: float = 20,
        codes: Collection[int] = (0,),
    ) -> bytes:
        """Cached `run_git` for a question about commits: in a copy of ours git runs once, if full ids name them."""
        named = (*values, *input.decode("utf-8", "surrogateescape").split("\n"))
        copy = self._copy if cached_answers.are_full_ids(*filter(None, named)) else None
        return cached_answers.answer_once(
            copy,
            (verb, options, tuple(values), input),
            lambda: self.run_git(verb, *options, values=values, input=input, timeout=timeout, codes=codes),
        )

    def start_git(
        self, verb: str, *options: ProgramOption, timeout: float = 20, stdin: IO[bytes] | None = None
    ) -> GitProcess:
        """A running git in the throwaway: a child to talk with, or one that reads `stdin`."""
        return GitProcess(verb, options, self.throwaway.environment, timeout=timeout, stdin=stdin)

    def run_in_place(
        self,
        verb: str,
        *options: ProgramOption,
        values: Sequence[str] = (),
        input: bytes = b"",
        timeout: float = 20,
        codes: Collection[int] = (0,),
        more: Mapping[str, str] | None = None,
    ) -> bytes:
        """Output of `git VERB` in the real repository. Only for refs and writing objects; ValueError otherwise.

        `more` is added to the environment, such as the names that a commit is to have.
        """
        if verb not in _IN_PLACE:
            raise ValueError(f"git {verb} must not see the repository's own configuration")
        environment = self._environment | dict(more or {})
        finished = run_git(
            verb, options, environment, values=values, input=input, limits=ProcessLimits(seconds=timeout)
        )
        if finished.code not in codes:
            raise self._make_refusal(verb, finished.err)
        return finished.out

    def _make_refusal(self, verb: str, complaints: bytes) -> GitError:
        if self.shallow:
            return shallow_error()
        return git_error(f"git {verb}", complaints)


def _no_repository_error(path: str, complaints: bytes) -> UsageError:
    why = git_error("git rev-parse", complaints or b"a line end in the path").message
    return UsageError(f"{path} is not a git repository ({why})", "Name the folder of a git repository with --repo.")


def shallow_error() -> GitError:
    """Error for a history that is cut off."""
    return GitError("the clone is shallow: run git fetch --unshallow", "Run git fetch --unshallow.")
