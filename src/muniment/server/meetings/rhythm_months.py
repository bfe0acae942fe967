"""Months between meetings, as the policy in force says."""

from muniment.server.policies.policy_in_force import current_clauses

MONTHS = 3
_CONTROLS = frozenset({"security-review-held", "security-retro-held"})


def read_rhythm_months() -> int:
    """Months of the clause about reviews; 3 where no clause says. Raises PolicyError."""
    given = (clause.parameters.get("months") for clause in current_clauses() if clause.control in _CONTROLS)
    return next((months for months in given if isinstance(months, int)), MONTHS)
