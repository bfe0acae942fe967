"""Refuses a policy in which a release that fixes a vulnerability would have to wait until its update is overdue."""

from muniment.controls import cool_down, no_known_vulnerabilities
from muniment.decision.binding import BoundPolicy
from muniment.errors import PolicyError
from muniment.policy.document import locate_clause

_DAY_HOURS = 24


def check_cool_down(bound: BoundPolicy, where: str, text: str) -> None:
    """Compare the wait for fixes with the due dates. Raises PolicyError if it is as long as the shortest one.

    A critical update has a due date too, but its release does not wait. `text` is the content of the document `where`.
    """
    updates = [one for one in bound.clauses if one.control is no_known_vulnerabilities.CONTROL]
    if not updates:
        return
    days = [
        (getattr(one.parameters, name), one.clause.id, name)
        for one in updates
        for name in ("high_days", "medium_days", "low_days")
    ]
    shortest, other, name = min(days)
    for one in bound.clauses:
        hours = one.parameters.fix_hours if one.control is cool_down.CONTROL else 0
        if hours and hours >= _DAY_HOURS * shortest:
            raise PolicyError(
                locate_clause(where, text, one.clause.id, "with", "fix_hours"),
                f'clause "{one.clause.id}" with.fix_hours',
                f"expected fewer than {_DAY_HOURS * shortest} hours, found {hours}: "
                f'updates are due after {shortest} days by {name} of the clause "{other}"',
                f"Write a smaller fix_hours, or a larger {name}.",
            )
