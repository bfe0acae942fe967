"""Protection of merges at a forge: who merges, which inputs are read again before, and why this is the default there.

A status is true at the moment at which it is posted. Where a forge sends an event for each change of an input, it is
outdated for seconds at most. Where it does not, the decision is made at the merge itself.
"""

from enum import StrEnum

from msgspec import Struct

from muniment.forges.branch_rules import BranchRules
from muniment.forges.registry import FORGE_KINDS
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
_NO_QUEUE = "the branch has no merge queue, so waiting for one would protect nothing"


def choose_default_protection(vendor: Vendor, rules: BranchRules) -> MergeProtection:
    """Mode to use where no other was requested."""
    kind = FORGE_KINDS[vendor]
    if kind.binds_checks and rules.queue:
        return MergeProtection(MergeMode.QUEUE, MODE_REASONS[MergeMode.QUEUE])
    mode = MergeMode.STATUS if kind.binds_checks else MergeMode.MUNIMENT
    return MergeProtection(mode, f"{kind.protection_reason} {MODE_REASONS[mode]}")


def explain_unsupported_mode(vendor: Vendor, rules: BranchRules, mode: MergeMode) -> str:
    """Reason why a mode cannot be enforced on a branch; "" if it can."""
    binds = FORGE_KINDS[vendor].binds_checks
    if mode is MergeMode.QUEUE and not (binds and rules.queue):
        return _NO_QUEUE if binds else "a merge queue of this kind of forge cannot be bound"
    if mode is MergeMode.MUNIMENT and binds and rules.queue:
        return "the branch has a merge queue, which could not merge any more once our App alone may"
    return ""
