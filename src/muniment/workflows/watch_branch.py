"""What a protected branch took, step by step, each matched with the decision that allowed exactly that.

Who merged, and what a commit says of itself, is not asked: a step is allowed if its head was, or if a machine alone
stands between it and a head that was (`controls.carrying`). Whatever else came is an escape, by whatever way it came.
"""

from collections.abc import Collection, Iterator, Sequence
from functools import partial

from msgspec import Struct

from muniment.controls.carrying import carried
from muniment.errors import GitError
from muniment.facts.change import ApprovedHead, Revision, Update
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
    whole = next((one.head for one in _carried(repository, target, before, commit, heads)), "")
    return whole or _merged_copy(repository, target, before, commit, heads)


def _merged_copy(repository: Repository, target: str, before: str, commit: str, heads: frozenset[str]) -> str:
    """The allowed head of which a machine made a copy, by a replay or a squash, and then merged the copy into `before`.

    Forges merge so by "rebase, then merge commit", and by "squash" where each merge has a commit. "" if `commit` is
    anything else.
    """
    (made,) = read(repository, [commit])
    if len(made.parents) != 2 or made.parents[0] != before:
        return ""
    copy = made.parents[1]
    if machine.merged(repository, before, copy) != made.tree:
        return ""
    fork = repository.run("merge-base", values=(before, copy), codes=(0, 1)).decode("ascii").strip()
    if not fork or fork == copy:
        return ""
    return next((one.head for one in _carried(repository, target, fork, copy, heads)), "")


def heads_of_bypass(repository: Repository, target: str, step: Step, heads: Collection[str]) -> tuple[str, ...] | None:
    """What a step that nothing allowed includes: its commits, and those of `heads` that a machine alone stands before,
    with their commits. None if that is more than anybody could tell, or git fails."""
    if len(step.brought) > LIMIT:
        return None
    if not step.commit or not step.brought:
        return (step.commit,) if step.commit else ()
    try:
        kept = [] if step.rewound else list(_carried(repository, target, step.before, step.commit, heads))
    except GitError:
        return None
    return tuple(sorted({step.commit, *step.brought, *(commit.id for one in kept for commit in one.commits)}))


def _carried(
    repository: Repository, target: str, before: str, commit: str, heads: Collection[str]
) -> Iterator[ApprovedHead]:
    """Those of `heads` whose approvals `commit` keeps."""
    change = between(repository, before, commit)
    revision = Revision("", target, before, commit, Known(Update.FAST_FORWARD))
    touched = partial(files.changed, repository, change.bases, commit)
    for approved in approved_heads(repository, revision, change, touched, heads):
        if carried(change.commits, commit, approved) is not None:
            yield approved


def _chain(repository: Repository, old: str, new: str) -> list[str] | None:
    """The commits that the branch stood at one after the other; None if it did not grow out of `old`."""
    if not old:
        return [new]
    options = ("--first-parent", "--reverse", f"--max-count={LIMIT + 1}")
    found = repository.run("rev-list", *options, values=(new, f"^{old}"), timeout=60).decode("ascii").split()
    if len(found) > LIMIT:
        return [new]  # too many to be told one by one
    if not found or old not in read(repository, found[:1])[0].parents[:1]:
        grown = repository.run("rev-list", "--max-count=1", values=(old, f"^{new}")).strip() == b""
        return [new] if grown and found else None
    return found


def _brought(repository: Repository, before: str, commit: str) -> tuple[str, ...]:
    values = [commit, *([f"^{before}"] if before else [])]
    out = repository.run("rev-list", f"--max-count={LIMIT + 1}", values=values, timeout=60)
    return tuple(out.decode("ascii").split())
