"""Weakening of a forge's branch protection: every way in which a rule can be loosened is checked.

Also which of our contexts the rule requires. A rule for several branches can require only one context of all of them.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from muniment.forges.branch_rules import BranchRules
from muniment.forges.statuses import CONTEXT_PREFIX, make_context


class _Loosening(NamedTuple):
    """Way in which a rule can be loosened, in words, and the test for it."""

    words: str
    looser: Callable[[BranchRules, BranchRules], bool]


def _is_wider(before: tuple[str, ...], now: tuple[str, ...]) -> bool:
    """Whether somebody has access now who had none."""
    return "*" not in before and bool(set(now) - set(before))


_RULES = (
    _Loosening("it is not protected any more", lambda before, now: before.protected and not now.protected),
    _Loosening("fewer approvals are required", lambda before, now: now.approvals < before.approvals),
    _Loosening("an approval outlives a push", lambda before, now: before.stale_dismissed and not now.stale_dismissed),
    _Loosening(
        "changes that are attributed to no person need no further approval",
        lambda before, now: before.unattributed_approval and not now.unattributed_approval,
    ),
    _Loosening("a rejection does not block", lambda before, now: before.rejection_blocks and not now.rejection_blocks),
    _Loosening(
        "an outdated branch does not block", lambda before, now: before.outdated_blocks and not now.outdated_blocks
    ),
    _Loosening("others may push to it", lambda before, now: _is_wider(before.pushers, now.pushers)),
    _Loosening("others may merge into it", lambda before, now: _is_wider(before.mergers, now.mergers)),
    _Loosening("others may bypass its rules", lambda before, now: _is_wider(before.bypass, now.bypass)),
    _Loosening("it may be force-pushed", lambda before, now: not before.force_push and now.force_push),
    _Loosening("it may be deleted", lambda before, now: not before.deletable and now.deletable),
)


def find_weakenings(before: BranchRules, now: BranchRules) -> tuple[str, ...]:
    """Ways in which `now` is weaker than `before`, in words. Unread settings are in neither."""
    return (*(rule.words for rule in _RULES if rule.looser(before, now)), *_find_lost_statuses(before, now))


def find_other_contexts(rules: BranchRules) -> tuple[str, ...]:
    """Contexts of ours that the branch's rule requires besides the branch's own."""
    own = make_context(rules.ref)
    found = {one.context for one in rules.required_statuses if one.context.startswith(CONTEXT_PREFIX)}
    return tuple(sorted(found - {own}))


def find_missing_contexts(rules: BranchRules) -> tuple[str, ...]:
    """Sentence on a protected branch whose rule does not require our status; none if it does."""
    own = make_context(rules.ref)
    asked = any(one.context == own for one in rules.required_statuses) or find_other_contexts(rules)
    return () if asked or not rules.protected else (f"{own} is not required",)


def _find_lost_statuses(before: BranchRules, now: BranchRules) -> Iterator[str]:
    required = {one.context: one.by for one in now.required_statuses}
    for one in before.required_statuses:
        if one.context not in required:
            yield f"{one.context} is not required any more"
        elif one.by and required[one.context] != one.by:
            yield f"{one.context} may come from another account"
