"""Where a branch stood before it took a change: told from the commit that it took and the head that was proposed."""

from muniment.errors import GitError
from muniment.git.commits import parts
from muniment.git.history import LIMIT, read
from muniment.git.repository import Repository

_WALK_SECONDS = 60


def before(repository: Repository, merged: str, head: str, forked: str) -> str:
    """The tip before `merged` landed, which took `head` that had forked off at `forked`. Raises GitError.

    A merge commit names it; a squash has it as its parent; a replay lies as many commits above it as were proposed, if
    they have the same authors and moments; a branch that was moved forward stood where the change forked off.
    """
    if merged == head:
        return forked
    (commit,) = read(repository, [merged])
    if len(commit.parents) > 1:
        return next(parent for parent in commit.parents if parent != head)
    if not commit.parents:
        raise GitError(f"{merged} has no parent, so its previous state is unknown", "Look at the branch's log.")
    proposed = _authors(repository, head, forked)
    landed = _authors(repository, merged, "", most=len(proposed))
    if len(proposed) > 1 and proposed == landed:
        line = _line(repository, merged, "", most=len(proposed) + 1)
        return line[-1] if len(line) == len(proposed) + 1 else commit.parents[0]
    return commit.parents[0]


def _authors(repository: Repository, tip: str, end: str, most: int = LIMIT) -> list[bytes]:
    """The author lines, with their moments, of the commits from `tip` back, newest first."""
    found = repository.objects.read_many(_line(repository, tip, end, most))
    headers = [dict(parts(one.data).headers) for one in found if one is not None]
    return [header.get(b"author", b"") for header in headers]


def _line(repository: Repository, tip: str, end: str, most: int) -> list[str]:
    options = ["--topo-order", f"--max-count={max(most, 1)}", *([] if end else ["--first-parent"])]
    values = [tip, *([f"^{end}"] if end else [])]
    return repository.run("rev-list", *options, values=values, timeout=_WALK_SECONDS).decode("ascii").split()
