"""Protection of history by a policy: a warning for its author where protected branches and tags may lose commits."""

from muniment.controls import protected_history
from muniment.decision.binding import BoundPolicy
from muniment.policy.model import EnforcementPoint

HISTORY_UNPROTECTED = (
    "no clause protects history: with the approvals that a change needs, "
    "a protected branch or tag can be deleted or rewound"
)
ADD_CLAUSE = 'Add a clause with control = "protected-history" and enforce = ["merge"].'


def is_history_protected(policy: BoundPolicy) -> bool:
    """Whether a clause that is enforced on every branch forbids its deletion and rewind."""
    return any(
        bound.control is protected_history.CONTROL
        and EnforcementPoint.MERGE in bound.clause.enforce
        and bound.clause.monitoring_until is None
        and not bound.clause.branches
        and not bound.clause.paths
        for bound in policy.clauses
    )
