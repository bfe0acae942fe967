"""When an allowance ends by itself: with an exception, or with the day until which a clause only reports."""

import datetime
from collections.abc import Iterable, Iterator

from muniment.decision.binding import BoundPolicy
from muniment.decision.decision import Decision, Outcome, Result
from muniment.facts import moments
from muniment.facts.statements import PolicyException


def ending(decision: Decision, policy: BoundPolicy, exceptions: Iterable[PolicyException]) -> str:
    """The first moment from which on the same facts may be denied, "" for none. A denial ends with nothing."""
    if decision.outcome is not Outcome.ALLOW:
        return ""
    days = {bound.clause.id: bound.clause.report_until for bound in policy.clauses}
    known = tuple(exceptions)
    ends = (end for result in decision.results for end in _ends(result, known, days.get(result.clause)))
    return min((end for end in ends if end > decision.time), default="")


def _ends(result: Result, exceptions: Iterable[PolicyException], day: datetime.date | None) -> Iterator[str]:
    if result.exception:
        yield from (exception.expires for exception in exceptions if exception.id == result.exception)
    elif not result.enforced and not result.fine and day is not None:
        midnight = datetime.datetime.combine(day, datetime.time(), datetime.UTC)
        yield moments.text(midnight + datetime.timedelta(days=1))
