"""Tip of a branch before it took a change: from the commit that it took and the head that was proposed."""

from muniment.errors import GitError
from muniment.git.commits import split_commit
from muniment.git.history import MOST_COMMITS, read_commits
from muniment.git.repository import Repository

_WALK_SECONDS = 60


def find_base_before_merge(repository: Repository, merged: str, head: str, fork_base: str) -> str:
    """Tip before `merged` landed, which took `head` that had forked off at `fork_base`. Raises GitError.

    A merge commit names it; a squash has it as its parent; a replay lies as many commits above it as were proposed, if
    they have the same authors and moments; a branch that was moved forward stood where the change forked off.
    """
    if merged == head:
        return fork_base
    (commit,) = read_commits(repository, [merged])
    if len(commit.parents) > 1:
        return next(parent for parent in commit.parents if parent != head)
    if not commit.parents:
        raise GitError(f"{merged} has no parent, so its previous state is unknown", "Look at the branch's log.")
    proposed = _read_author_lines(repository, head, fork_base)
    landed = _read_author_lines(repository, merged, "", most=len(proposed))
    if len(proposed) > 1 and proposed == landed:
        line = _list_commits(repository, merged, "", most=len(proposed) + 1)
        return line[-1] if len(line) == len(proposed) + 1 else commit.parents[0]
    return commit.parents[0]


def _read_author_lines(repository: Repository, tip: str, end: str, most: int = MOST_COMMITS) -> list[bytes]:
    """Author lines, with their moments, of the commits from `tip` back, newest first."""
    found = repository.objects.read_git_objects(_list_commits(repository, tip, end, most))
    headers = [dict(split_commit(one.data).headers) for one in found if one is not None]
    return [header.get(b"author", b"") for header in headers]


def _list_commits(repository: Repository, tip: str, end: str, most: int) -> list[str]:
    options = ["--topo-order", f"--max-count={max(most, 1)}", *([] if end else ["--first-parent"])]
    values = [tip, *([f"^{end}"] if end else [])]
    return repository.run_git("rev-list", *options, values=values, timeout=_WALK_SECONDS).decode("ascii").split()
