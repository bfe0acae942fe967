"""First pushes of commits, over all branches and tags of a repository: a later push of a commit changes no pusher.

- The order of two pushes in one second is unknown: if they are by two accounts, so is the pusher.
- A push with commits that can no longer be read may have brought any commit that was pushed later: the pusher of such a
  commit is unknown.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from msgspec import Struct, structs

from muniment.errors import GitError
from muniment.facts.maybe import Maybe, Unknown
from muniment.forges.shapes import Account, Move
from muniment.git.repository import Repository
from muniment.programs.command import ProgramOption, join_lines

MOST_FIRST_PUSHES = 200_000  # commits of other branches than the protected one
_WALK_SECONDS = 120
_SAME_SECOND: Maybe[Account] = Unknown("two accounts pushed it in the same second")

Parents = Mapping[str, tuple[str, ...]]


class FirstPush(Struct, frozen=True):
    """First known push of a commit. `who` pushed; `at` is a moment, "" for before everything that is known."""

    who: Maybe[Account]
    at: str


ReadFirstPushes = Callable[[Repository, Collection[str], str], Mapping[str, FirstPush]]
"""The first known pushes of commits that a base does not reach. Raises GitError if they cannot be read."""


def find_first_pushes(
    repository: Repository, pushes: Iterable[Move], commits: Collection[str], base: str
) -> dict[str, FirstPush]:
    """First of `pushes` that brought each of `commits`, which `base` does not reach; see `map_first_pushes`."""
    found = map_first_pushes(repository, pushes, [base])
    return {commit: found[commit] for commit in commits if commit in found}


def map_first_pushes(repository: Repository, pushes: Iterable[Move], bases: Collection[str]) -> dict[str, FirstPush]:
    """First of `pushes` (`Reader.list_all_pushes`) for each commit that `bases` do not reach.

    Commits that none of them brought are left out. Raises GitError if git fails.
    """
    moved = [push for push in pushes if push.new or not push.ref]
    commits = read_named_commits(repository, {push.new for push in moved if push.new})
    there = {commit for commit in commits.values() if commit}
    ordered = sorted(_select_commit_pushes(moved, commits), key=lambda push: push.at)
    parents = _read_parents(repository, sorted(there), bases)
    found: dict[str, FirstPush] = {}
    unread: Move | None = None
    for at, group in groupby(ordered, key=lambda push: push.at):
        together = list(group)
        for commit, push in _iterate_new_commits(together, parents, found.keys()):
            found[commit] = FirstPush(push if unread is None else _explain_unread_push(unread), at)
        unread = unread or next((push for push in together if push.new not in there), None)
    return found


def read_named_commits(repository: Repository, heads: Collection[str]) -> dict[str, str]:
    """The commit that each head is, or that it names as a tag; "" for a head that is another object.

    Heads that cannot be read are left out.
    """
    listed = sorted(heads)
    kinds = repository.objects.read_kinds(listed) if listed else ()
    found = {head: head if kind == "commit" else "" for head, kind in zip(listed, kinds, strict=True) if kind}
    for tag in [head for head, kind in zip(listed, kinds, strict=True) if kind == "tag"]:
        commit = repository.objects.read_git_object(f"{tag}^{{commit}}")
        found[tag] = commit.id if commit is not None else ""
    return found


def _select_commit_pushes(pushes: Iterable[Move], commits: Mapping[str, str]) -> Iterator[Move]:
    """Pushes of commits, each with the commit in place of a tag, and pushes with heads that cannot be read."""
    for push in pushes:
        commit = commits.get(push.new, push.new)
        if commit or not push.new:
            yield structs.replace(push, new=commit)


def _iterate_new_commits(
    pushes: Sequence[Move], parents: Parents, before: Collection[str]
) -> Iterator[tuple[str, Maybe[Account]]]:
    """Commits that the pushes of one moment brought and that were not there `before`, each with its pusher."""
    who: dict[str, Maybe[Account]] = {}
    for push in pushes:
        for commit in _walk_push(push, parents, before):
            who[commit] = push.who if who.get(commit, push.who) == push.who else _SAME_SECOND
    yield from who.items()


def _walk_push(push: Move, parents: Parents, before: Collection[str]) -> set[str]:
    """The commits of a push, but for those of `before` and what lies behind them."""
    left = [commit for commit in (*push.commits, push.new) if commit]
    seen: set[str] = set()
    while left:
        commit = left.pop()
        if commit not in seen and commit not in before:
            seen.add(commit)
            left.extend(parents.get(commit, ()))
    return seen


def _read_parents(repository: Repository, heads: Sequence[str], bases: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The parents of each commit that `heads` reach and `bases` do not."""
    if not heads:
        return {}
    rows = _list_beyond(repository, heads, bases, "--parents")
    return {commit: tuple(parents) for commit, *parents in (row.split() for row in rows)}


def find_commits_beyond(repository: Repository, heads: Sequence[str], bases: Collection[str]) -> frozenset[str]:
    """The commits that `heads` reach and `bases` do not. Raises GitError for more than LIMIT."""
    return frozenset(_list_beyond(repository, heads, bases)) if heads else frozenset()


def _list_beyond(
    repository: Repository, heads: Sequence[str], bases: Collection[str], *options: ProgramOption
) -> list[str]:
    asked = join_lines("git rev-list", [*heads, *(f"^{base}" for base in bases if base)], GitError)
    limits = ("--stdin", f"--max-count={MOST_FIRST_PUSHES + 1}")
    rows = (
        repository.run_git_once("rev-list", *options, *limits, input=asked, timeout=_WALK_SECONDS)
        .decode("ascii")
        .splitlines()
    )
    if len(rows) > MOST_FIRST_PUSHES:
        raise GitError(
            f"the branches hold more than {MOST_FIRST_PUSHES} commits that were not merged", "Delete old branches."
        )
    return rows


def _explain_unread_push(push: Move) -> Maybe[Account]:
    branch = push.ref.removeprefix("refs/heads/").removeprefix("refs/")
    what = f"what was pushed to {branch}" if branch else "what was pushed to several branches at once"
    return Unknown(f"{what} at {push.at}, before it, cannot be read any more")
