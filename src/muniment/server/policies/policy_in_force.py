"""Policy in force, as it is stored."""

from muniment.policy.model import Clause, Policy
from muniment.server.records.installation import open_store


def current_policy() -> Policy | None:
    """Policy in force; None if there is none. Raises PolicyError."""
    found = open_store().load_policy()
    return None if found is None else found.policy


def current_clauses() -> tuple[Clause, ...]:
    """Clauses of the policy in force, in the order in which the company wrote them."""
    found = current_policy()
    return found.clauses if found is not None else ()


def protected_patterns() -> tuple[str, ...]:
    """Patterns of the branches that the policy in force protects."""
    found = current_policy()
    return found.protected_branches if found is not None else ()
