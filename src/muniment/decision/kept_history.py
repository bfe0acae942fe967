"""Whether a policy lets protected branches and tags lose commits, for whoever writes or installs it."""

from muniment.controls import history_kept
from muniment.decision.binding import BoundPolicy
from muniment.policy.model import Point

NOT_KEPT = (
    "no clause protects history: with the approvals that a change needs, "
    "a protected branch or tag can be deleted or rewound"
)
ADD_CLAUSE = 'Add a clause with control = "protected-history" and enforce = ["merge"].'


def keeps_history(policy: BoundPolicy) -> bool:
    """Whether a clause that is enforced on every branch keeps it from being deleted or rewound."""
    return any(
        bound.control is history_kept.CONTROL
        and Point.MERGE in bound.clause.enforce
        and bound.clause.monitoring_until is None
        and not bound.clause.branches
        and not bound.clause.paths
        for bound in policy.clauses
    )
