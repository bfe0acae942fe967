"""Updates of a protected branch, step by step, each matched with the decision that allowed exactly that.

The merger, and the text of a commit, do not count: a step is allowed if its head was, or if a machine alone stands
between it and a head that was (`controls.approval_carryover`). Every other step is a bypass, in whatever way it came.
"""

from collections.abc import Collection, Iterator, Sequence
from functools import partial

from msgspec import Struct

from muniment.controls.approval_carryover import find_carryover
from muniment.errors import GitError
from muniment.facts.change import ApprovedHead, Revision, UpdateKind
from muniment.facts.maybe import Known
from muniment.git import changed_files, machine_merges
from muniment.git.approved_heads import find_approved_heads
from muniment.git.history import MOST_COMMITS, read_commits, read_history
from muniment.git.repository import Repository


class BranchStep(Struct, frozen=True):
    """Step of a branch from `before` to `commit`, with the commits `brought` by it (newest first).

    `allowed` is the head whose decision allowed it, "" if none did. `rewound`: the branch lost commits by this.
    """

    before: str
    commit: str
    brought: tuple[str, ...]
    allowed: str
    rewound: bool = False


def find_branch_steps(
    repository: Repository, target: str, old: str, new: str, heads: Collection[str], ends: Collection[str] = ()
) -> tuple[BranchStep, ...]:
    """Find the steps from `old` to `new`, oldest first. Raises GitError if git cannot list them.

    `heads` are those that a decision allowed for `target`. `ends` are commits at which, the forge says, a change ended
    that it replayed commit by commit; that only says where to look. More commits than can be evaluated are one step,
    which nothing allowed.
    """
    if old == new:
        return ()
    chain = _find_chain(repository, old, new)
    if chain is None:
        return (BranchStep(old, new, _list_brought(repository, old, new), "", rewound=True),)
    return tuple(_walk_chain(repository, target, old, chain, frozenset(heads), frozenset(ends)))


def is_revert_of(repository: Repository, step: BranchStep, escape: BranchStep) -> bool:
    """Whether a step undoes an earlier one wholly: a machine's revert gives its tree."""
    if not escape.before:
        return False
    made, before, bad, good = read_commits(repository, [step.commit, step.before, escape.commit, escape.before])
    return machine_merges.merge_from_tree(repository, bad.tree, before.tree, good.tree) == made.tree


def _walk_chain(
    repository: Repository,
    target: str,
    old: str,
    chain: Sequence[str],
    heads: frozenset[str],
    ends: frozenset[str],
) -> Iterator[BranchStep]:
    before, at = old, 0
    while at < len(chain):
        further = [place for place in range(at + 1, len(chain)) if chain[place] in ends or chain[place] in heads]
        for place in (at, *further):
            allowed = _find_allowing_head(repository, target, before, chain[place], heads)
            if allowed:
                break
        else:
            place, allowed = at, ""
        yield BranchStep(before, chain[place], _list_brought(repository, before, chain[place]), allowed)
        before, at = chain[place], place + 1


def _find_allowing_head(repository: Repository, target: str, before: str, commit: str, heads: frozenset[str]) -> str:
    """Head that was allowed, and is all that `commit` adds to `before`; "" if there is none."""
    if commit in heads:
        return commit
    if len(_list_brought(repository, before, commit)) > MOST_COMMITS:
        return ""  # no change as large was ever allowed, since it cannot be evaluated
    whole = next((one.head for one in _find_carried_heads(repository, target, before, commit, heads)), "")
    return whole or _find_merged_copy(repository, target, before, commit, heads)


def _find_merged_copy(repository: Repository, target: str, before: str, commit: str, heads: frozenset[str]) -> str:
    """Allowed head of which a machine made a copy, by a replay or a squash, and then merged the copy into `before`.

    Forges merge so by "rebase, then merge commit", and by "squash" where each merge has a commit. "" if `commit` is
    anything else.
    """
    (made,) = read_commits(repository, [commit])
    if len(made.parents) != 2 or made.parents[0] != before:
        return ""
    copy = made.parents[1]
    if machine_merges.merge_trees(repository, before, copy) != made.tree:
        return ""
    fork = repository.run_git("merge-base", values=(before, copy), codes=(0, 1)).decode("ascii").strip()
    if not fork or fork == copy:
        return ""
    return next((one.head for one in _find_carried_heads(repository, target, fork, copy, heads)), "")


def find_bypass_step_heads(
    repository: Repository, target: str, step: BranchStep, heads: Collection[str]
) -> tuple[str, ...] | None:
    """Heads that a bypass includes: its commits, and those of `heads` from which only a machine separates it, with
    their commits.

    None if they are too many, or git fails.
    """
    if len(step.brought) > MOST_COMMITS:
        return None
    if not step.commit or not step.brought:
        return (step.commit,) if step.commit else ()
    try:
        carried = [] if step.rewound else list(_find_carried_heads(repository, target, step.before, step.commit, heads))
    except GitError:
        return None
    return tuple(sorted({step.commit, *step.brought, *(commit.id for one in carried for commit in one.commits)}))


def _find_carried_heads(
    repository: Repository, target: str, before: str, commit: str, heads: Collection[str]
) -> Iterator[ApprovedHead]:
    """Heads among `heads` whose approvals `commit` keeps."""
    change = read_history(repository, before, commit)
    revision = Revision("", target, before, commit, Known(UpdateKind.FAST_FORWARD))
    touched = partial(changed_files.read_changed_files, repository, change.bases, commit)
    for approved in find_approved_heads(repository, revision, change, touched, heads):
        if find_carryover(change.commits, commit, approved) is not None:
            yield approved


def _find_chain(repository: Repository, old: str, new: str) -> list[str] | None:
    """Commits at which the branch was, one after the other; None if it did not grow out of `old`."""
    if not old:
        return [new]
    options = ("--first-parent", "--reverse", f"--max-count={MOST_COMMITS + 1}")
    found = repository.run_git("rev-list", *options, values=(new, f"^{old}"), timeout=60).decode("ascii").split()
    if len(found) > MOST_COMMITS:
        return [new]  # too many to describe one by one
    if not found or old not in read_commits(repository, found[:1])[0].parents[:1]:
        grown = repository.run_git("rev-list", "--max-count=1", values=(old, f"^{new}")).strip() == b""
        return [new] if grown and found else None
    return found


def _list_brought(repository: Repository, before: str, commit: str) -> tuple[str, ...]:
    values = [commit, *([f"^{before}"] if before else [])]
    out = repository.run_git("rev-list", f"--max-count={MOST_COMMITS + 1}", values=values, timeout=60)
    return tuple(out.decode("ascii").split())
