"""Commits that a change brings: all that its head reaches and its base does not, over every parent."""

from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise

from msgspec import Struct, structs

from muniment.errors import GitError
from muniment.facts.change import Commit, UpdateKind
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import People
from muniment.git import commits
from muniment.git.objects import GitObject
from muniment.git.repository import Repository, shallow_error

MOST_COMMITS = 20_000  # commits of one change
_WALK_SECONDS = 60
SIGNERS_UNREAD: Maybe[People] = Unknown("signers were not asked for")


class History(Struct, frozen=True):
    """`commits` newest first, no parent before its child. `bases` are the merge bases of base and head."""

    commits: tuple[Commit, ...]
    bases: tuple[str, ...]
    update: UpdateKind


def read_history(repository: Repository, base: str, head: str, people: Maybe[People] = SIGNERS_UNREAD) -> History:
    """History of a change. `base` "" means that there is nothing yet; both are full ids otherwise.

    Signers are looked for among `people`. Raises GitError for a shallow clone, a missing object, or more than LIMIT
    commits: a part of a history is not enough.
    """
    if repository.shallow:
        raise shallow_error()
    if not head or base == head:
        update = UpdateKind.DELETED if not head else UpdateKind.UNCHANGED
        return History((), (head,) if head else (), update)
    ids, edge = _walk_commits(repository, base, head)
    found = read_commits(repository, ids, people)
    _check_parents(found, edge)
    bases, update = _relate_heads(repository, base, head, edge)
    return History(found, bases, update)


def read_commits(
    repository: Repository, ids: Sequence[str], people: Maybe[People] = SIGNERS_UNREAD
) -> tuple[Commit, ...]:
    """Commits by id, in that order. Raises GitError if one is missing."""
    found = [
        _require_present(object_id, found)
        for object_id, found in zip(ids, repository.objects.read_git_objects(ids), strict=True)
    ]
    own = [commits.parse_commit(one) for one in found]
    if not isinstance(people, Known):
        return tuple(own)
    signers = commits.find_signers(found, people.value)
    return tuple(
        commit if contributor is None else structs.replace(commit, contributors=(*commit.contributors, contributor))
        for commit, contributor in zip(own, signers, strict=True)
    )


def select_reachable(commits: Iterable[Commit], heads: Iterable[str]) -> tuple[Commit, ...]:
    """Commits among `commits` (newest first) that can be reached from `heads`, in the same order."""
    wanted = set(heads)
    reachable: list[Commit] = []
    for commit in commits:
        if commit.id in wanted:
            reachable.append(commit)
            wanted.update(commit.parents)
    return tuple(reachable)


def is_linear(commits: Sequence[Commit]) -> bool:
    """Whether `commits`, newest first, are a chain in which each has one parent, the next."""
    follow = all(one.parents == (older.id,) for one, older in pairwise(commits))
    return bool(commits) and follow and len(commits[-1].parents) == 1


def _walk_commits(repository: Repository, base: str, head: str) -> tuple[list[str], set[str]]:
    """Ids of the commits, newest first, and of those just behind them."""
    options = ("--topo-order", "--boundary", f"--max-count={MOST_COMMITS + 1}")
    values = [head, *([f"^{base}"] if base else [])]
    rows = repository.run_git_once("rev-list", *options, values=values, timeout=_WALK_SECONDS).decode("ascii").split()
    ids = [row for row in rows if row[0] != "-"]
    if len(ids) > MOST_COMMITS:
        raise GitError(f"the change has more than {MOST_COMMITS} commits", "Bring it in smaller pieces.")
    return ids, {row[1:] for row in rows if row[0] == "-"}


def _check_parents(found: Sequence[Commit], edge: Collection[str]) -> None:
    """Check the walk against the commits themselves: no parent may be missing between them."""
    known = {commit.id for commit in found}.union(edge)
    for commit in found:
        for parent in commit.parents:
            if parent not in known:
                raise GitError(f"git left out {parent}, a parent of {commit.id}", "Look at it with git fsck.")


def _relate_heads(
    repository: Repository, base: str, head: str, edge: Collection[str]
) -> tuple[tuple[str, ...], UpdateKind]:
    if not base:
        return (), UpdateKind.CREATED
    if base in edge:
        return (base,), UpdateKind.FAST_FORWARD  # other tips of `edge` are its ancestors
    out = repository.run_git_once("merge-base", "--all", values=(base, head), timeout=_WALK_SECONDS, codes=(0, 1))
    bases = tuple(sorted(out.decode("ascii").split()))
    return bases, UpdateKind.REWOUND if bases == (head,) else UpdateKind.DIVERGED


def _require_present(object_id: str, found: GitObject | None) -> GitObject:
    if found is None:
        raise GitError(f"the commit {object_id} is missing here", "Fetch it, or fetch the repository anew.")
    return found
