"""Figures of a branch's past that need no people: sizes, sensitive paths, counted approvals, and their course in time.

A figure counts only changes of which the fact is known; the others are counted as unknown.
"""

import datetime
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from muniment.controls import independent_review, security_attention, small_changes
from muniment.controls.control import Control, ResultStatus
from muniment.decision.binding import BoundPolicy
from muniment.decision.decision import Decision, Result
from muniment.facts.change import File
from muniment.facts.maybe import Known, Maybe
from muniment.policy import guide

_MOST_QUARTERS = 20
_LEAST_QUARTERS = 2
_MOST_PERIODS = 24
_EARLIER = "earlier"

NamePeriod = Callable[[datetime.date], str]


class LargestChange(Struct, frozen=True):
    """Largest change, by its lines."""

    commit: str
    lines: int
    files: int


class SizeFigures(Struct, frozen=True):
    """Changes larger than `most_lines` or `most_files`. `unknown`: changes of unknown size."""

    count: int
    unknown: int
    most_lines: int
    most_files: int
    largest: LargestChange | None


class SensitiveFigures(Struct, frozen=True):
    """Changes of sensitive paths, and of each topic (`policy.guide`). `unknown`: changes of unknown files."""

    count: int
    unknown: int
    topics: dict[str, int]


class ApprovalFigures(Struct, frozen=True):
    """Changes by the number of approvals that count, "0" to `needed` (and more). `unknown`: those of which it is
    unknown.
    """

    needed: int
    counts: dict[str, int]
    unknown: int


class PeriodFigures(Struct, frozen=True):
    """Changes of one week, quarter or year, named by `label`."""

    label: str
    changes: int
    large: int
    sensitive: int


class HistoryFigures(Struct, frozen=True):
    """Figures of a branch's past. A part is None if the policy has no clause about it. Days are ISO 8601, or ""."""

    first_day: str
    last_day: str
    size: SizeFigures | None
    sensitive: SensitiveFigures | None
    approvals: ApprovalFigures | None
    periods: tuple[PeriodFigures, ...]


class HistoryCounter:
    """Counts the figures of one past change after the other."""

    def __init__(self, policy: BoundPolicy) -> None:
        """Count by the parameters of the policy's clauses; the first clause of a control counts."""
        self._limits: Any = _find_parameters(policy, small_changes.CONTROL)
        self._attention: Any = _find_parameters(policy, security_attention.CONTROL)
        self._review: Any = _find_parameters(policy, independent_review.CONTROL)
        self._large = self._size_unknown = self._sensitive = self._files_unknown = self._approvals_unknown = 0
        self._largest: LargestChange | None = None
        self._topics: Counter[str] = Counter()
        self._approvals: Counter[int] = Counter()
        self._days: Counter[str] = Counter()
        self._large_days: Counter[str] = Counter()
        self._sensitive_days: Counter[str] = Counter()

    def add_change(self, day: str, files: Maybe[tuple[File, ...]], decision: Decision) -> None:
        """Count one change: the day on which the branch received it (`YYYY-MM-DD`), its files and its decision."""
        self._days[day] += 1
        if self._limits is not None:
            self._add_size(day, files, decision.head)
        if self._attention is not None:
            self._add_paths(day, files)
        for result in decision.results:
            if result.control == independent_review.CONTROL.name:
                self._add_approvals(result)
                break

    def build_figures(self) -> HistoryFigures:
        """Figures of all changes that were counted."""
        limits, review = self._limits, self._review
        return HistoryFigures(
            first_day=min(self._days, default=""),
            last_day=max(self._days, default=""),
            size=None
            if limits is None
            else SizeFigures(self._large, self._size_unknown, limits.lines, limits.files, self._largest),
            sensitive=None
            if self._attention is None
            else SensitiveFigures(self._sensitive, self._files_unknown, dict(self._topics.most_common())),
            approvals=None
            if review is None
            else ApprovalFigures(
                review.reviewers,
                {str(count): self._approvals[count] for count in sorted(self._approvals)},
                self._approvals_unknown,
            ),
            periods=tuple(self._list_periods()),
        )

    def _add_size(self, day: str, files: Maybe[tuple[File, ...]], head: str) -> None:
        size = small_changes.measure_size(files.value, self._limits) if isinstance(files, Known) else files
        if not isinstance(size, Known):
            self._size_unknown += 1
            return
        if size.value.exceeds(self._limits):
            self._large += 1
            self._large_days[day] += 1
            if self._largest is None or size.value.lines > self._largest.lines:
                self._largest = LargestChange(head, *size.value)

    def _add_paths(self, day: str, files: Maybe[tuple[File, ...]]) -> None:
        if not isinstance(files, Known):
            self._files_unknown += 1
            return
        paths = {path for file in files.value for path in (file.path, file.old_path)}
        topics = guide.find_topics(paths, self._attention.sensitive)
        if len(topics) > 1:  # patterns of the policy often name what has a topic of its own
            topics = tuple(topic for topic in topics if topic != guide.SENSITIVE)
        self._topics.update(topics)
        if topics:
            self._sensitive += 1
            self._sensitive_days[day] += 1

    def _add_approvals(self, result: Result) -> None:
        counts = [reason.details["count"] for reason in result.reasons if "count" in reason.details]
        if counts and result.status in (ResultStatus.MET, ResultStatus.VIOLATED):
            self._approvals[int(counts[0])] += 1
        elif result.status is not ResultStatus.NOT_APPLICABLE:
            self._approvals_unknown += 1

    def _list_periods(self) -> Iterator[PeriodFigures]:
        """Weeks until two quarters are there, then quarters, then years; periods without a change too."""
        if not self._days:
            return
        first, last = (datetime.date.fromisoformat(choose(self._days)) for choose in (min, max))
        quarters = _quarter_number(last) - _quarter_number(first) + 1
        name = _name_year if quarters > _MOST_QUARTERS else _name_quarter
        name = _name_week if quarters <= _LEAST_QUARTERS else name
        totals = [_sum_by(days, name) for days in (self._days, self._large_days, self._sensitive_days)]
        labels = list(_list_labels(first, last, name))
        if len(labels) > _MOST_PERIODS:  # a clock that was wrong gives years in which nothing happened
            labels = [label for label in labels if totals[0][label]]
        if older := labels[: 1 - _MOST_PERIODS] if len(labels) > _MOST_PERIODS else []:
            yield PeriodFigures(_EARLIER, *(sum(total[label] for label in older) for total in totals))
        for label in labels[len(older) :]:
            yield PeriodFigures(label, *(total[label] for total in totals))


def _find_parameters(policy: BoundPolicy, control: Control) -> Struct | None:
    return next((bound.parameters for bound in policy.clauses if bound.control is control), None)


def _quarter_number(day: datetime.date) -> int:
    return day.year * 4 + (day.month - 1) // 3


def _name_year(day: datetime.date) -> str:
    return f"{day.year}"


def _name_quarter(day: datetime.date) -> str:
    return f"{day.year} Q{(day.month - 1) // 3 + 1}"


def _name_week(day: datetime.date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year} week {week}"


def _sum_by(days: Counter[str], name: NamePeriod) -> Counter[str]:
    found: Counter[str] = Counter()
    for day, count in days.items():
        found[name(datetime.date.fromisoformat(day))] += count
    return found


def _list_labels(first: datetime.date, last: datetime.date, name: NamePeriod) -> Iterator[str]:
    labels = {name(first + datetime.timedelta(days=days)): None for days in range(0, (last - first).days + 1, 7)}
    yield from {**labels, name(last): None}
