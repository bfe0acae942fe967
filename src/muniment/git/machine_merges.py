"""Merges, replays and reverts made by a machine: git's own merge in the throwaway, without drivers or attributes.

A conflict, an error, or an unclear answer of git gives no tree, and so no approval carries over.
"""

from collections.abc import Sequence

from muniment.errors import GitError
from muniment.facts.change import Commit
from muniment.git.history import read_commits
from muniment.git.repository import Repository

_MERGE_SECONDS = 60
_WHO = b"author machine <> 0 +0000\ncommitter machine <> 0 +0000\n\n"


def merge_trees(repository: Repository, base: str, head: str) -> str:
    """Tree of the clean merge of two commits, "" if there is none."""
    return merge_pairs(repository, [(base, head)])[0]


def merge_pairs(repository: Repository, pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Trees of the clean merges of several pairs, by one process unless that one fails."""
    if not pairs:
        return []
    try:
        return _merge_batch(repository, pairs)
    except GitError:  # histories without a common commit, a missing object, too slow
        return [""] if len(pairs) == 1 else [merge_trees(repository, *pair) for pair in pairs]


def replay_commits(repository: Repository, onto: str, commits: Sequence[Commit]) -> tuple[str, ...]:
    """Tree of `onto`, then those after each of `commits` (oldest first, one parent each) was replayed.

    Empty if one of them does not apply cleanly.
    """
    onto_commit, *parents = read_commits(repository, [onto, *(commit.parents[0] for commit in commits)])
    trees = [onto_commit.tree]
    for commit, old in zip(commits, (parent.tree for parent in parents), strict=True):
        tree = commit.tree if trees[-1] == old else merge_from_tree(repository, old, trees[-1], commit.tree)
        if not tree:
            return ()
        trees.append(tree)
    return tuple(trees)


def revert_commit(repository: Repository, tip: str, commit: str) -> str:
    """Tree of `tip` without the changes of `commit` to its first parent, "" if that is not clean."""
    now, then = read_commits(repository, [tip, commit])
    if not then.parents:
        return ""
    (before,) = read_commits(repository, then.parents[:1])
    return merge_from_tree(repository, then.tree, now.tree, before.tree)


def make_commit(repository: Repository, tree: str, parent: str, author: str, seconds: int, message: str) -> str:
    """A commit of a tree, stored in the throwaway. `author` is `name <address>`; `seconds` since 1970."""
    lines = [f"tree {tree}", f"parent {parent}"]
    lines += [f"{role} {author} {seconds} +0000" for role in ("author", "committer")]
    return repository.throwaway.write_object("commit", ("\n".join(lines) + f"\n\n{message}\n").encode())


def merge_from_tree(repository: Repository, old: str, ours: str, theirs: str) -> str:
    """Merge of two trees that came from `old`, by commits made for it: git 2.39 has no `--merge-base`."""
    root = _make_unsigned_commit(repository, old)
    return merge_trees(
        repository, _make_unsigned_commit(repository, ours, root), _make_unsigned_commit(repository, theirs, root)
    )


def _make_unsigned_commit(repository: Repository, tree: str, *parents: str) -> str:
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
    return repository.throwaway.write_object("commit", "\n".join(lines).encode() + b"\n" + _WHO)


def _merge_batch(repository: Repository, pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Trees in order. An answer is `1` or `0`, the tree, the conflicts, and an empty word."""
    given = "".join(f"{ours} {theirs}\n" for ours, theirs in pairs).encode()
    options = ("--write-tree", "--no-messages", "--stdin")
    out = repository.run_git("merge-tree", *options, input=given, timeout=_MERGE_SECONDS, codes=(0, 1))
    words = iter(out.split(b"\0"))
    answers = [list(iter(lambda: next(words, b""), b"")) for _ in pairs]
    return [answer[1].decode("ascii") if len(answer) == 2 and answer[0] == b"1" else "" for answer in answers]
