"""The first-parent history of a branch, streamed with the commits and files of each step.

Three gits run in parallel.
"""

import datetime
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice

from msgspec import Struct

from muniment.errors import GitError, UsageError
from muniment.facts.change import Commit, File, Revision, UpdateKind
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.git import changed_files
from muniment.git.history import read_commits
from muniment.git.repository import Repository, shallow_error
from muniment.programs.process import ChildProcess

_WINDOW = 64  # merges whose commits are read at once
_SECONDS = 300
_DIFF = ("--stdin", "--always", "--root", *changed_files.DIFF_ARGUMENTS, "--format==%H")

Diff = tuple[str, list[changed_files.DiffRow] | None]


class HistoryStep(Struct, frozen=True):
    """Step of a branch: its revision, its commits and files, and its date (of the committer, RFC 3339, UTC)."""

    revision: Revision
    commits: tuple[Commit, ...]
    files: Maybe[tuple[File, ...]]
    date: str


class _FirstParentStep(Struct):
    """`head` on the first-parent line, its first parent ("" for a root), its commits, newest first."""

    head: str
    base: str
    seconds: int
    ids: list[str]


class BranchHistory:
    """History of `tip`, to be iterated over once or more; `len` is known before."""

    def __init__(
        self,
        repository: Repository,
        name: str,
        target: str,
        tip: str,
        *,
        since: str = "",
        newest_first: bool = False,
    ) -> None:
        """`name` and `target` are those of the revisions; `since` is a day or moment (ISO 8601).

        Raises GitError if commits are missing, UsageError if `since` is no date.
        """
        if repository.shallow:
            raise shallow_error()
        self._repository = repository
        self._name = name
        self._target = target
        self._steps = _list_steps(repository, tip, _parse_since(since) if since else None)
        if newest_first:
            self._steps.reverse()

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[HistoryStep]:
        """Raises GitError if a commit is missing; files that cannot be read are Unknown."""
        diffs = _read_diffs(self._repository, self._steps)
        steps = iter(self._steps)
        while window := list(islice(steps, _WINDOW)):
            yield from self._read_window(window, list(islice(diffs, len(window))))

    def _read_window(self, steps: Sequence[_FirstParentStep], diffs: Sequence[Diff]) -> Iterator[HistoryStep]:
        sizes = changed_files.read_binary_sizes(
            self._repository.objects, [row for _, rows in diffs for row in rows or ()]
        )
        commits = iter(read_commits(self._repository, [object_id for step in steps for object_id in step.ids]))
        for step, (_, rows) in zip(steps, diffs, strict=True):
            yield HistoryStep(
                revision=self._make_revision(step),
                commits=tuple(islice(commits, len(step.ids))),
                files=_make_files(rows, sizes),
                date=_format_date(step.seconds),
            )

    def _make_revision(self, step: _FirstParentStep) -> Revision:
        update = UpdateKind.FAST_FORWARD if step.base else UpdateKind.CREATED
        return Revision(self._name, self._target, step.base, step.head, Known(update))


def _format_date(seconds: int) -> str:
    """Date of a commit, which anybody can write; one after the year 9999 is the last moment of that year."""
    try:
        return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return datetime.datetime.max.replace(microsecond=0, tzinfo=datetime.UTC).isoformat()


def _make_files(rows: list[changed_files.DiffRow] | None, sizes: dict[bytes, int]) -> Maybe[tuple[File, ...]]:
    if rows is None:
        return Unknown("git cannot compare it with its parent: an object is missing here")
    if len(rows) > changed_files.MOST_CHANGED_FILES:
        return Unknown(f"it touches more than {changed_files.MOST_CHANGED_FILES} files")
    return Known(tuple(changed_files.convert_rows(rows, sizes)))


def _parse_since(since: str) -> float:
    try:
        moment = datetime.datetime.fromisoformat(since)
    except ValueError as error:
        raise UsageError(f"{since} is not a date", "Write it like 2026-01-31.") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()


def _list_steps(repository: Repository, tip: str, since: float | None) -> list[_FirstParentStep]:
    """Steps, oldest first. Each commit belongs to the first step that reaches it."""
    line = _list_first_parents(repository, tip, since)
    if not line:
        return []
    steps = {step.head: step for step in line}
    place = {step.head: at for at, step in enumerate(reversed(line))}
    owner: dict[str, int] = {}
    ordered = line[::-1]
    end = line[-1].base
    values = [tip, *([f"^{end}"] if end else [])]
    rows = repository.run_git("rev-list", "--topo-order", "--parents", values=values, timeout=_SECONDS)
    for row in rows.decode("ascii").splitlines():
        commit, *parents = row.split(" ")
        mine = place[commit] if commit in steps else owner.pop(commit)
        ordered[mine].ids.append(commit)
        for parent in parents:
            owner[parent] = min(mine, owner.get(parent, mine))
    return ordered


def _list_first_parents(repository: Repository, tip: str, since: float | None) -> list[_FirstParentStep]:
    """First-parent line, newest first, back to the first commit older than `since`."""
    options = ("--first-parent", "--timestamp", "--parents")
    line: list[_FirstParentStep] = []
    rows = repository.run_git("rev-list", *options, values=(tip,), timeout=_SECONDS)
    for row in rows.decode("ascii").splitlines():
        seconds, head, *parents = row.split(" ")
        if since is not None and int(seconds) < since:
            break
        line.append(_FirstParentStep(head, parents[0] if parents else "", int(seconds), []))
    return line


def _read_diffs(repository: Repository, steps: Sequence[_FirstParentStep]) -> Iterator[Diff]:
    """Files of each step in order; None where git failed, and it is started again behind that one."""
    done = 0
    while done < len(steps):
        before = done
        try:
            for head, rows in _stream_diffs(repository, steps[done:]):
                yield head, rows
                done += 1
        except GitError:
            yield steps[done].head, None
            done += 1
        if done == before:
            raise GitError("git diff-tree left out commits", "Look at the repository with git fsck.")


def _stream_diffs(repository: Repository, steps: Sequence[_FirstParentStep]) -> Iterator[Diff]:
    """Files of each step in order. Raises GitError at the one that git cannot compare."""
    with ExitStack() as stack:
        given = stack.enter_context(tempfile.TemporaryFile())
        given.writelines(f"{step.head} {step.base}".strip().encode() + b"\n" for step in steps)
        given.seek(0)
        child = stack.enter_context(repository.start_git("diff-tree", *_DIFF, timeout=_SECONDS, stdin=given))
        found = changed_files.parse_diffs(_read_words(child))
        for step in steps:
            header, rows = next(found, (b"", []))
            if header.decode("ascii", "replace") != step.head:
                raise child.make_failure()
            yield step.head, rows


def _read_words(child: ChildProcess) -> Iterator[bytes]:
    """Output of the child, cut at each NUL. Raises GitError if it ends with complaints."""
    rest = b""
    while piece := child.read_piece():
        *words, rest = (rest + piece).split(b"\0")
        yield from words
    if child.read_stderr():
        raise child.make_failure()
