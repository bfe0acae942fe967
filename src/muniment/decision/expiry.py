"""Expiry of a decision: with an exception, with the last day of monitoring, where a freeze begins or ends, or once a
fact behind it is too old.
"""

import datetime
from collections.abc import Iterable, Iterator

from muniment.decision.binding import BoundPolicy
from muniment.decision.decision import Decision, Outcome, Result
from muniment.decision.freezes import find_next_boundary
from muniment.facts import moments
from muniment.facts.facts import Facts
from muniment.facts.kinds import KINDS
from muniment.facts.maybe import Known
from muniment.facts.statements import Freeze, PolicyException

NO_FACTS = Facts({})


def find_expiry(
    decision: Decision,
    policy: BoundPolicy,
    exceptions: Iterable[PolicyException],
    freezes: Iterable[Freeze] = (),
    facts: Facts = NO_FACTS,
) -> str:
    """Find the first moment from which on the same facts may be decided otherwise, "" for none.

    A denial ends with a freeze, or when something that has to wait is old enough (detail `waits_until` of a reason).
    Every other cause would be an event.
    """
    boundary = find_next_boundary(freezes, decision.time)
    if decision.outcome is not Outcome.ALLOW:
        return min((end for end in (*_find_waiting_ends(decision), boundary) if end > decision.time), default="")
    days = {bound.clause.id: bound.clause.monitoring_until for bound in policy.clauses}
    known = tuple(exceptions)
    ends = (end for result in decision.results for end in _find_result_expiries(result, known, days.get(result.clause)))
    return min((end for end in (*ends, *_find_fact_expiries(facts), boundary) if end > decision.time), default="")


def _find_fact_expiries(facts: Facts) -> Iterator[str]:
    """Moment from which on each fact that expires is unknown."""
    for name, fact in facts.items().items():
        good_for = KINDS[name].good_for if name in KINDS else 0
        if good_for and isinstance(fact.value, Known):
            yield moments.add_time(fact.read_at, minutes=good_for)


def _find_waiting_ends(decision: Decision) -> Iterator[str]:
    """Moments until which something has to wait, by the reasons of a decision."""
    for result in decision.results:
        yield from (str(one.details["waits_until"]) for one in result.reasons if "waits_until" in one.details)


def _find_result_expiries(
    result: Result, exceptions: Iterable[PolicyException], day: datetime.date | None
) -> Iterator[str]:
    if result.exception:
        yield from (exception.expires for exception in exceptions if exception.id == result.exception)
    elif not result.is_acceptable and day is not None:  # what is enforced and not fine allows nothing
        midnight = datetime.datetime.combine(day, datetime.time(), datetime.UTC)
        yield moments.format_moment(midnight + datetime.timedelta(days=1))
