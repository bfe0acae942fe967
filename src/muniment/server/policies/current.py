"""The policy in force."""

from muniment.policy.model import Clause, Policy
from muniment.server.records.installation import store


def policy() -> Policy | None:
    """The policy in force; None if there is none. Raises PolicyError."""
    found = store().policy()
    return None if found is None else found.policy


def clauses() -> tuple[Clause, ...]:
    """Its clauses, in the order in which the company wrote them."""
    found = policy()
    return found.clauses if found is not None else ()


def protected() -> tuple[str, ...]:
    """The patterns of the branches that it protects."""
    found = policy()
    return found.protected_branches if found is not None else ()
