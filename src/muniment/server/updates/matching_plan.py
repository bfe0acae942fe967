"""Plan of what a matching changes: advisories that newly affect a lock, changed, ended, or do so again.

Rows are matched with what was found by lock, package and any common identifier, so that a new alias neither loses nor
doubles one. Nothing that could not be read ends a row.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct, structs

from muniment.facts import moments
from muniment.updates.due_dates import ClockStart, DueDate, compute_due_date
from muniment.updates.severities import AdvisorySeverity


class FoundAdvisory(Struct, frozen=True):
    """Vulnerability of a package of a lock, over all places of the lock. Moments as `facts.moments`."""

    lock_path: str
    ecosystem: str
    package: str
    advisory: str
    names: tuple[str, ...]
    summary: str
    versions: tuple[str, ...]
    places: tuple[str, ...]
    route: tuple[str, ...]
    severity: str
    severity_origin: str
    is_certain: bool
    is_malware: bool
    is_development: bool
    safe_version: str
    published: str
    first_seen: str
    introduced: str


class KnownAdvisory(Struct, frozen=True):
    """Row about an advisory as it is stored."""

    number: int
    lock_path: str
    ecosystem: str
    package: str
    advisory: str
    names: tuple[str, ...]
    places: tuple[str, ...]
    severity: str
    is_certain: bool
    is_malware: bool
    is_development: bool
    clock_from: str
    has_ended: bool


class PlannedAdvisory(Struct, frozen=True):
    """Advisory to add, or to change the row `number`. The clock is "" for malware."""

    number: int
    found: FoundAdvisory
    clock_from: str
    clock_start: str


class MatchingPlan(Struct, frozen=True):
    """Changes of a matching. `moved` change columns that no record holds; `ended` are numbers."""

    new: tuple[PlannedAdvisory, ...] = ()
    changed: tuple[PlannedAdvisory, ...] = ()
    moved: tuple[PlannedAdvisory, ...] = ()
    ended: tuple[int, ...] = ()

    @property
    def needs_record(self) -> bool:
        """Whether it changes something that a record holds."""
        return bool(self.new or self.changed or self.ended)


class MatchingClock(Struct, frozen=True):
    """Moments that decide when clocks start: now, when the repository was connected, and its last matching ("")."""

    now: str
    connected: str
    matched: str
    days: Mapping[str, int]


def plan_matching(
    found: Iterable[FoundAdvisory],
    known: Iterable[KnownAdvisory],
    clock: MatchingClock,
    unread: frozenset[tuple[str, str]] = frozenset(),
) -> MatchingPlan:
    """Plan what a matching changes. `unread` are place and path of locks that could not be read."""
    rows: dict[tuple[str, str, str], list[KnownAdvisory]] = {}
    for row in known:
        rows.setdefault((row.lock_path, row.ecosystem, row.package), []).append(row)
    new: list[PlannedAdvisory] = []
    changed: list[PlannedAdvisory] = []
    moved: list[PlannedAdvisory] = []
    seen: set[int] = set()
    for one in found:
        candidates = rows.get((one.lock_path, one.ecosystem, one.package), ())
        match = _find_row([row for row in candidates if row.number not in seen], one)
        if match is None:
            new.append(_start_clock(one, clock))
        else:
            seen.add(match.number)
            planned = PlannedAdvisory(match.number, one, *_continue_clock(match, one, clock))
            (changed if _is_changed(match, one) else moved).append(planned)
    left = [row for group in rows.values() for row in group if row.number not in seen and not row.has_ended]
    ended = [row.number for row in left if not any((place, row.lock_path) in unread for place in row.places)]
    return MatchingPlan(tuple(new), tuple(changed), tuple(moved), tuple(ended))


def _find_row(rows: list[KnownAdvisory], one: FoundAdvisory) -> KnownAdvisory | None:
    """Row of the same vulnerability: open ones first, of several the oldest."""
    names = set(one.names)
    same = [row for row in rows if names.intersection(row.names)]
    return min(same, key=lambda row: (row.has_ended, row.number), default=None)


def _is_changed(row: KnownAdvisory, one: FoundAdvisory) -> bool:
    columns = ("advisory", "severity", "is_certain", "is_malware", "is_development")
    return row.has_ended or any(getattr(row, name) != getattr(one, name) for name in columns)


def _start_clock(one: FoundAdvisory, clock: MatchingClock) -> PlannedAdvisory:
    """Start the clock of a new row.

    A date of publication in the future gains no time. An advisory that was known before, and names a version only since
    its correction, starts when we saw that: nobody could know it earlier.
    """
    published = one.published if one.published <= one.first_seen else ""
    first_seen = one.first_seen
    if clock.matched and max(one.first_seen, one.introduced) <= clock.matched:
        published, first_seen = "", clock.now
    due = compute_due_date(
        AdvisorySeverity(one.severity),
        published=published,
        first_seen=first_seen,
        introduced=one.introduced,
        connected=clock.connected,
        is_malware=one.is_malware,
        days={level: clock.days[level.value] for level in AdvisorySeverity},
    )
    if isinstance(due, DueDate):
        return PlannedAdvisory(0, one, due.started, due.start.value)
    return PlannedAdvisory(0, one, "", due.value)


def _continue_clock(row: KnownAdvisory, one: FoundAdvisory, clock: MatchingClock) -> tuple[str, str]:
    """Clock of a row that is there again or still: it goes on, since taking a version out and in gains no time.

    A severity that rises gives its days from now on, yet never a later due date than before. "" for the start keeps it.
    """
    if one.is_malware:
        return "", ""
    if not row.clock_from:  # it was malware, and is no more
        started = _start_clock(one, clock)
        return started.clock_from, started.clock_start
    before, after = clock.days[row.severity], clock.days[one.severity]
    if after >= before:
        return row.clock_from, ""
    latest = moments.add_time(row.clock_from, days=before - after)
    return max(row.clock_from, min(clock.now, latest)), ClockStart.FIRST_SIGHT.value


def decode_plan(data: bytes) -> MatchingPlan:
    """Plan that `encode_plan` wrote."""
    return msgspec.msgpack.decode(data, type=MatchingPlan)


def encode_plan(plan: MatchingPlan) -> bytes:
    """Bytes of the part of a plan that a record holds."""
    return msgspec.msgpack.encode(structs.replace(plan, moved=()))


def find_due_moment(clock_from: datetime | None, severity: str, days: Mapping[str, int], more: int) -> datetime | None:
    """Due date of an update; None for malware, which has none. `more` are days for development only."""
    if clock_from is None:
        return None
    return clock_from + timedelta(days=days.get(severity, days[AdvisorySeverity.HIGH.value]) + more)
