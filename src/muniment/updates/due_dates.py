"""Due date of an update, with the event that its clock starts at.

The clock starts at the latest of three: the vulnerability became public, the dependency came in, the product was
connected. Malware has no clock, and neither has a withdrawn advisory.
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from muniment.facts import moments
from muniment.updates.severities import AdvisorySeverity

DEFAULT_DAYS: Mapping[AdvisorySeverity, int] = {
    AdvisorySeverity.CRITICAL: 2,
    AdvisorySeverity.HIGH: 14,
    AdvisorySeverity.MEDIUM: 30,
    AdvisorySeverity.LOW: 90,
}


class ClockStart(StrEnum):
    """Event at which the clock of an update starts."""

    PUBLICATION = "publication"
    FIRST_SIGHT = "first-sight"  # the advisory states no publication: when we read it first
    INTRODUCTION = "introduction"  # the vulnerable version came into the lock
    CONNECTION = "connection"  # the product came under the policy


class NoClock(StrEnum):
    """Reason why a vulnerability has no due date."""

    MALWARE = "malware"  # an incident at once
    WITHDRAWN = "withdrawn"


class DueDate(Struct, frozen=True):
    """Moment until which the fixed version must run, with the reason for it."""

    due: str
    days: int
    severity: AdvisorySeverity
    start: ClockStart
    started: str


def compute_due_date(
    severity: AdvisorySeverity,
    *,
    published: str,
    first_seen: str,
    introduced: str,
    connected: str,
    is_malware: bool = False,
    withdrawn: str = "",
    days: Mapping[AdvisorySeverity, int] = DEFAULT_DAYS,
) -> DueDate | NoClock:
    """Due date of an update. Moments as `facts.moments`; only `published` and `withdrawn` may be ""."""
    if withdrawn:
        return NoClock.WITHDRAWN
    if is_malware:
        return NoClock.MALWARE
    public = (published, ClockStart.PUBLICATION) if published else (first_seen, ClockStart.FIRST_SIGHT)
    events = (public, (connected, ClockStart.CONNECTION), (introduced, ClockStart.INTRODUCTION))
    started, start = max(events, key=lambda event: event[0])  # the first of equal ones
    allowed = days[severity]
    return DueDate(moments.add_time(started, days=allowed), allowed, severity, start, started)
