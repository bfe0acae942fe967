"""What a machine makes of commits: git's own merge in the throwaway, without driver, attribute or person.

A conflict, an error, or anything that git will not say plainly gives no tree, and so carries no approval.
"""

from collections.abc import Sequence

from muniment.errors import GitError
from muniment.facts.change import Commit
from muniment.git.history import read
from muniment.git.repository import Repository

_MERGE_SECONDS = 60
_WHO = b"author machine <> 0 +0000\ncommitter machine <> 0 +0000\n\n"


def merged(repository: Repository, base: str, head: str) -> str:
    """The tree of the clean merge of two commits, "" if there is none."""
    return merges(repository, [(base, head)])[0]


def merges(repository: Repository, pairs: Sequence[tuple[str, str]]) -> list[str]:
    """The same for several pairs, by one process if none of them makes it give up."""
    if not pairs:
        return []
    try:
        return _batch(repository, pairs)
    except GitError:  # histories without a common commit, a missing object, too slow
        return [""] if len(pairs) == 1 else [merged(repository, *pair) for pair in pairs]


def replayed(repository: Repository, onto: str, commits: Sequence[Commit]) -> tuple[str, ...]:
    """The tree of `onto`, then those after each of `commits` (oldest first, one parent each) was replayed.

    Empty if one of them does not apply cleanly.
    """
    onto_commit, *parents = read(repository, [onto, *(commit.parents[0] for commit in commits)])
    trees = [onto_commit.tree]
    for commit, old in zip(commits, (parent.tree for parent in parents), strict=True):
        tree = commit.tree if trees[-1] == old else picked(repository, old, trees[-1], commit.tree)
        if not tree:
            return ()
        trees.append(tree)
    return tuple(trees)


def undone(repository: Repository, tip: str, commit: str) -> str:
    """The tree of `tip` without what `commit` changed of its first parent, "" if that is not clean."""
    now, then = read(repository, [tip, commit])
    if not then.parents:
        return ""
    (before,) = read(repository, then.parents[:1])
    return picked(repository, then.tree, now.tree, before.tree)


def committed(repository: Repository, tree: str, parent: str, who: str, seconds: int, message: str) -> str:
    """A commit of a tree, kept in the throwaway. `who` is `name <address>`; `seconds` since 1970."""
    lines = [f"tree {tree}", f"parent {parent}"]
    lines += [f"{role} {who} {seconds} +0000" for role in ("author", "committer")]
    return repository.throwaway.write("commit", ("\n".join(lines) + f"\n\n{message}\n").encode())


def picked(repository: Repository, old: str, ours: str, theirs: str) -> str:
    """The merge of two trees that came from `old`, by commits made for it: git 2.39 has no `--merge-base`."""
    root = _commit(repository, old)
    return merged(repository, _commit(repository, ours, root), _commit(repository, theirs, root))


def _commit(repository: Repository, tree: str, *parents: str) -> str:
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
    return repository.throwaway.write("commit", "\n".join(lines).encode() + b"\n" + _WHO)


def _batch(repository: Repository, pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Trees in order. An answer is `1` or `0`, the tree, what conflicts, and an empty word."""
    given = "".join(f"{ours} {theirs}\n" for ours, theirs in pairs).encode()
    options = ("--write-tree", "--no-messages", "--stdin")
    out = repository.run("merge-tree", *options, input=given, timeout=_MERGE_SECONDS, codes=(0, 1))
    words = iter(out.split(b"\0"))
    answers = [list(iter(lambda: next(words, b""), b"")) for _ in pairs]
    return [answer[1].decode("ascii") if len(answer) == 2 and answer[0] == b"1" else "" for answer in answers]
