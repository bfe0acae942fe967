"""Protection of merges at a forge: who merges, which inputs are read again before, and why this is the default there.

A status is true at the moment at which it is posted. Where a forge sends an event for each change of an input, it is
outdated for seconds at most. Where it does not, the decision is made at the merge itself.
"""

from enum import StrEnum

from msgspec import Struct

from muniment.forges.branch_rules import BranchRules
from muniment.forges.shapes import Vendor


class MergeMode(StrEnum):
    """Account or queue that merges a change."""

    MUNIMENT = "muniment"  # our account alone, after it read all inputs again
    QUEUE = "queue"  # the forge's merge queue, after its group was read again
    STATUS = "status"  # whoever may, as long as the status that was posted is success


class MergeProtection(Struct, frozen=True):
    """A mode, with the reason for it and the gap that remains."""

    mode: MergeMode
    reason: str


MODE_REASONS = {
    MergeMode.MUNIMENT: "Muniment's account alone merges, right after it read all inputs again.",
    MergeMode.QUEUE: "The merge queue merges, after Muniment read each member of its group again.",
    MergeMode.STATUS: (
        "The status that was posted decides: a lost approval is noticed within N s, and not while Muniment is stopped. "
        "The page of the connection shows N, by its rate limit: 10 or more."
    ),
}
_EVENTS_MISSING = {
    Vendor.GITEA: "Gitea sends no event when a review is dismissed or somebody loses write access.",
    Vendor.FORGEJO: "Forgejo sends no event when a review is dismissed or somebody loses write access.",
    Vendor.GITLAB: "GitLab lets every developer post a status, and sends a project no event when a member leaves.",
}
_GITHUB_EVENTS = "GitHub sends an event for each review, check and member, and takes the check from our App alone."
_NO_QUEUE = "the branch has no merge queue, so waiting for one would protect nothing"


def choose_default_protection(vendor: Vendor, rules: BranchRules) -> MergeProtection:
    """Mode to use where no other was requested."""
    if vendor is Vendor.GITHUB and rules.queue:
        return MergeProtection(MergeMode.QUEUE, MODE_REASONS[MergeMode.QUEUE])
    if vendor is Vendor.GITHUB:
        return MergeProtection(MergeMode.STATUS, f"{_GITHUB_EVENTS} {MODE_REASONS[MergeMode.STATUS]}")
    return MergeProtection(MergeMode.MUNIMENT, f"{_EVENTS_MISSING[vendor]} {MODE_REASONS[MergeMode.MUNIMENT]}")


def explain_unsupported_mode(vendor: Vendor, rules: BranchRules, mode: MergeMode) -> str:
    """Reason why a mode cannot be enforced on a branch; "" if it can."""
    if mode is MergeMode.QUEUE and (vendor is not Vendor.GITHUB or not rules.queue):
        return _NO_QUEUE if vendor is Vendor.GITHUB else "a merge queue binds at GitHub alone"
    if mode is MergeMode.MUNIMENT and vendor is Vendor.GITHUB and rules.queue:
        return "the branch has a merge queue, which could not merge any more once our App alone may"
    return ""
