"""Differences between another policy and the policy in force."""

from muniment.decision.bound_policies import read_bound_policy
from muniment.decision.comparison import Direction, PolicyDifference, compare_policies
from muniment.server.records.installation import open_store
from muniment.server.records.postgres_store import POLICY


def find_policy_differences(text: str) -> tuple[PolicyDifference, ...]:
    """Differences of the policy `text` from the one in force; none if no policy is in force. Raises PolicyError for
    an invalid text.
    """
    new = read_bound_policy(text, POLICY)
    old = open_store().load_policy()
    return compare_policies(old, new) if old is not None else ()


def is_weaker_policy(text: str) -> bool:
    """Whether it is weaker anywhere; what cannot be compared counts as weaker. Raises PolicyError."""
    return any(difference.direction is Direction.WEAKER for difference in find_policy_differences(text))
