"""What another policy would change, against the policy in force."""

from muniment.decision.comparison import Difference, Direction, compare
from muniment.decision.policies import read_bound_policy
from muniment.server.records.installation import store
from muniment.server.records.store import POLICY


def find_differences(text: str) -> tuple[Difference, ...]:
    """What the policy `text` would change; nothing if no policy is in force. Raises PolicyError for what is none."""
    new = read_bound_policy(text, POLICY)
    old = store().policy()
    return compare(old, new) if old is not None else ()


def is_weaker(text: str) -> bool:
    """Whether it is weaker anywhere; what cannot be compared counts as weaker. Raises PolicyError."""
    return any(difference.direction is Direction.WEAKER for difference in find_differences(text))
