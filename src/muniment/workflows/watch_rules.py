"""Whether a forge protects a branch less than it did: every way in which a rule can be loosened is looked at.

Which of our contexts it demands, too. A rule for several branches can demand but one context of all of them.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from muniment.forges.rules import BranchRules
from muniment.forges.statuses import OURS, context_for


class _Rule(NamedTuple):
    """What is looser, in words, and how to tell."""

    words: str
    looser: Callable[[BranchRules, BranchRules], bool]


def _wider(before: tuple[str, ...], now: tuple[str, ...]) -> bool:
    """Whether somebody may now who might not."""
    return "*" not in before and bool(set(now) - set(before))


_RULES = (
    _Rule("it is not protected any more", lambda before, now: before.protected and not now.protected),
    _Rule("fewer approvals are required", lambda before, now: now.approvals < before.approvals),
    _Rule("an approval outlives a push", lambda before, now: before.stale_dismissed and not now.stale_dismissed),
    _Rule(
        "changes that are attributed to no person need no further approval",
        lambda before, now: before.unattributed_approval and not now.unattributed_approval,
    ),
    _Rule("a rejection does not block", lambda before, now: before.rejection_blocks and not now.rejection_blocks),
    _Rule("an outdated branch does not block", lambda before, now: before.outdated_blocks and not now.outdated_blocks),
    _Rule("others may push to it", lambda before, now: _wider(before.pushers, now.pushers)),
    _Rule("others may merge into it", lambda before, now: _wider(before.mergers, now.mergers)),
    _Rule("others may bypass its rules", lambda before, now: _wider(before.bypass, now.bypass)),
    _Rule("it may be force-pushed", lambda before, now: not before.force_push and now.force_push),
    _Rule("it may be deleted", lambda before, now: not before.deletable and now.deletable),
)


def weakened(before: BranchRules, now: BranchRules) -> tuple[str, ...]:
    """In which ways `now` is weaker than `before`, in words. What could not be read is in neither."""
    return (*(rule.words for rule in _RULES if rule.looser(before, now)), *_statuses(before, now))


def others_of_ours(rules: BranchRules) -> tuple[str, ...]:
    """The contexts of ours that the branch's rule demands beside the branch's own."""
    own = context_for(rules.ref)
    found = {one.context for one in rules.required_statuses if one.context.startswith(OURS)}
    return tuple(sorted(found - {own}))


def undemanded(rules: BranchRules) -> tuple[str, ...]:
    """What is to be said of a branch whose rule does not ask for our verdict."""
    own = context_for(rules.ref)
    asked = any(one.context == own for one in rules.required_statuses) or others_of_ours(rules)
    return () if asked or not rules.protected else (f"{own} is not required",)


def _statuses(before: BranchRules, now: BranchRules) -> Iterator[str]:
    required = {one.context: one.by for one in now.required_statuses}
    for one in before.required_statuses:
        if one.context not in required:
            yield f"{one.context} is not required any more"
        elif one.by and required[one.context] != one.by:
            yield f"{one.context} may come from another account"
