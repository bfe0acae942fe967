"""What a protected branch took, step by step, each matched with the decision that allowed exactly that.

Who merged, and what a commit says of itself, is not asked: a step is allowed if its head was, or if a machine alone
stands between it and a head that was (`controls.carrying`). Whatever else came is an escape, by whatever way it came.
"""

from collections.abc import Collection, Iterator, Sequence
from functools import partial

from msgspec import Struct

from muniment.controls.carrying import carried
from muniment.facts.change import Revision, Update
from muniment.facts.maybe import Known
from muniment.git import files, machine
from muniment.git.approved import approved_heads
from muniment.git.history import LIMIT, between, read
from muniment.git.repository import Repository


class Step(Struct, frozen=True):
    """The branch went from `before` to `commit`, and took `brought` (newest first) by it.

    `allowed` is the head whose decision allowed it, "" if none did. `rewound`: it lost commits by this.
    """

    before: str
    commit: str
    brought: tuple[str, ...]
    allowed: str
    rewound: bool = False


def steps(
    repository: Repository, target: str, old: str, new: str, heads: Collection[str], ends: Collection[str] = ()
) -> tuple[Step, ...]:
    """The steps from `old` to `new`, oldest first. Raises GitError if they cannot be told.

    `heads` are those that a decision allowed for `target`. `ends` are commits at which, the forge says, a change ended
    that it replayed commit by commit; that only says where to look. More than anybody could judge is one step, which
    nothing allowed.
    """
    if old == new:
        return ()
    chain = _chain(repository, old, new)
    if chain is None:
        return (Step(old, new, _brought(repository, old, new), "", rewound=True),)
    return tuple(_walked(repository, target, old, chain, frozenset(heads), frozenset(ends)))


def reverts(repository: Repository, step: Step, escape: Step) -> bool:
    """Whether a step takes an earlier one back, wholly: a machine's revert gives its tree."""
    if not escape.before:
        return False
    made, before, bad, good = read(repository, [step.commit, step.before, escape.commit, escape.before])
    return machine.picked(repository, bad.tree, before.tree, good.tree) == made.tree


def _walked(
    repository: Repository,
    target: str,
    old: str,
    chain: Sequence[str],
    heads: frozenset[str],
    ends: frozenset[str],
) -> Iterator[Step]:
    before, at = old, 0
    while at < len(chain):
        further = [place for place in range(at + 1, len(chain)) if chain[place] in ends or chain[place] in heads]
        for place in (at, *further):
            allowed = _allowing(repository, target, before, chain[place], heads)
            if allowed:
                break
        else:
            place, allowed = at, ""
        yield Step(before, chain[place], _brought(repository, before, chain[place]), allowed)
        before, at = chain[place], place + 1


def _allowing(repository: Repository, target: str, before: str, commit: str, heads: frozenset[str]) -> str:
    """The head that was allowed, and is all that `commit` brings over `before`; "" if there is none."""
    if commit in heads:
        return commit
    if len(_brought(repository, before, commit)) > LIMIT:
        return ""  # nothing as large was ever allowed: it cannot be judged
    change = between(repository, before, commit)
    revision = Revision("", target, before, commit, Known(Update.FORWARD))
    touched = partial(files.changed, repository, change.bases, commit)
    for approved in approved_heads(repository, revision, change, touched, heads):
        if carried(change.commits, commit, approved) is not None:
            return approved.head
    return ""


def _chain(repository: Repository, old: str, new: str) -> list[str] | None:
    """The commits that the branch stood at one after the other; None if it did not grow out of `old`."""
    if not old:
        return [new]
    asked = ("rev-list", "--first-parent", "--reverse", f"--max-count={LIMIT + 1}", new, f"^{old}", "--")
    found = repository.run(*asked, timeout=60).decode("ascii").split()
    if len(found) > LIMIT:
        return [new]  # too many to be told one by one
    if not found or old not in read(repository, found[:1])[0].parents[:1]:
        grown = repository.run("rev-list", "--max-count=1", old, f"^{new}", "--").strip() == b""
        return [new] if grown and found else None
    return found


def _brought(repository: Repository, before: str, commit: str) -> tuple[str, ...]:
    known = [f"^{before}"] if before else []
    asked = ("rev-list", f"--max-count={LIMIT + 1}", commit, *known, "--")
    return tuple(repository.run(*asked, timeout=60).decode("ascii").split())
