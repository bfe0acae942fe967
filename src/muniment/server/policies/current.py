"""The policy in force, read once for each text."""

from functools import lru_cache

from muniment.policy.document import read_policy
from muniment.policy.model import Clause, Policy
from muniment.server.installation import home
from muniment.server.record.home import POLICY


def policy() -> Policy | None:
    """The policy in force; None if there is none. Raises PolicyError."""
    text = home().policy_text()
    return None if text is None else read(text)


def clauses() -> tuple[Clause, ...]:
    """Its clauses, in the order in which the company wrote them."""
    found = policy()
    return found.clauses if found is not None else ()


def protected() -> tuple[str, ...]:
    """The patterns of the branches that it protects."""
    found = policy()
    return found.protected if found is not None else ()


@lru_cache(maxsize=64)
def read(text: str) -> Policy:
    """A policy, read once. Raises PolicyError."""
    return read_policy(text, POLICY)
