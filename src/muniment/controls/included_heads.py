"""Heads that an evaluation includes: their approvals are spent once the branch takes the evaluated head.

Design, section 6: the evaluated head, each evaluated commit, each head whose approvals were kept with its commits, and
each earlier head of the same change with its commits. A past head that goes on from the evaluated one is a longer
change, of which the branch takes only the beginning: it is not included.
"""

from collections.abc import Collection, Iterable

from muniment.controls.approval_carryover import find_carryover
from muniment.facts import kinds
from muniment.facts.change import Commit, Pushes
from muniment.facts.facts import Facts
from muniment.facts.maybe import Unknown


def list_included_heads(facts: Facts) -> tuple[str, ...] | None:
    """List the ids of the heads, sorted; None if a fact about them is unknown."""
    revision, commits = facts.get(kinds.REVISION), facts.get(kinds.COMMITS)
    approved, pushes = facts.get(kinds.APPROVED_HEADS), facts.get(kinds.PUSHES)
    if (
        isinstance(revision, Unknown)
        or isinstance(commits, Unknown)
        or isinstance(approved, Unknown)
        or isinstance(pushes, Unknown)
    ):
        return None
    head, own = revision.value.head, commits.value
    deleted = "" if head else revision.value.base  # the statements that approve a deletion are about the tip
    carried = [one for one in approved.value if find_carryover(own, head, one) is not None]
    found = {
        head,
        deleted,
        *(commit.id for commit in own),
        *(commit.id for one in carried for commit in one.commits),
    }
    found.update(_find_earlier_heads({head, *(one.head for one in carried)}, pushes.value))
    return tuple(sorted(found - {""}))


def _find_earlier_heads(heads: Collection[str], pushes: Pushes) -> set[str]:
    """Find the earlier heads that go on from none of `heads`, and their commits."""
    parents = {commit.id: commit.parents for commit in pushes.earlier_commits}
    longer = _find_descendants(heads, pushes.earlier_commits)
    found: set[str] = set()
    left = [one for one in pushes.earlier_heads if one not in longer]
    while left:
        at = left.pop()
        if at not in found:
            found.add(at)
            left += [parent for parent in parents.get(at, ()) if parent in parents]
    return found


def _find_descendants(heads: Collection[str], commits: Iterable[Commit]) -> set[str]:
    children: dict[str, list[str]] = {}
    for commit in commits:
        for parent in commit.parents:
            children.setdefault(parent, []).append(commit.id)
    found: set[str] = set()
    left = list(heads)
    while left:
        fresh = [child for child in children.get(left.pop(), ()) if child not in found]
        found.update(fresh)
        left += fresh
    return found
