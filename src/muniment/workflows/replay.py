"""Judge a branch's past, one first-parent commit at a time, and count per clause what held, what did not, and what
nobody can tell."""

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from muniment.controls.control import Codes, Reason, Status
from muniment.decision.binding import BoundClause, BoundPolicy
from muniment.decision.decision import Decision, Outcome, Reasons, Result, sentences
from muniment.decision.judge import clauses_at, judge, needed
from muniment.facts import kinds
from muniment.facts.facts import Facts
from muniment.policy.model import Point

NOTHING_KNOWN = Facts({})
_ALWAYS = tuple(
    kind.name for kind in (kinds.REVISION, kinds.PUSHES, kinds.APPROVED_HEADS, kinds.APPROVALS, kinds.LANDED_HEADS)
)
_EXAMPLES = 3


class ClauseSummary(Struct, frozen=True):
    """One clause over all judged changes: how many had which status, and its commonest reasons. `excepted` of those
    that did not hold were covered by an exception.

    A clause that no change can be judged by (it bites at another point) has its state today in `today`.
    """

    clause: str
    text: str
    control: str
    result_counts: dict[str, int]
    exception_count: int
    current_result: str
    reasons: tuple["CommonReason", ...]


class CommonReason(Struct, frozen=True):
    """One reason: how often, in words of its latest case, and the latest commits that it was said of."""

    code: str
    result: str
    count: int
    message: str
    commits: tuple[str, ...]


class Summary(Struct, frozen=True):
    """A whole replay. Dates are not kept here: `first` and `last` are the commits judged, oldest and newest."""

    repository: str
    target: str
    policy: str
    change_count: int
    allowed_count: int
    denied_count: int
    first_commit: str
    last_commit: str
    clauses: tuple[ClauseSummary, ...]


class _Tally:
    """Counts of one clause."""

    def __init__(self, codes: type[Codes]) -> None:
        self.codes = codes
        self.statuses: Counter[str] = Counter()
        self.excepted = 0
        self.reasons: Counter[tuple[str, str]] = Counter()
        self.latest: dict[tuple[str, str], Reason] = {}
        self.commits: dict[tuple[str, str], list[str]] = {}

    def add(self, status: Status, reasons: Iterable[Reason], head: str) -> None:
        self.statuses[status.value] += 1
        for reason in reasons:
            if reason.status is status and status in (Status.VIOLATED, Status.UNKNOWN):
                key = (reason.code, reason.status.value)
                if head not in self.commits.setdefault(key, [])[-1:]:
                    self.reasons[key] += 1
                    self.commits[key].append(head)
                self.latest[key] = reason

    def common(self) -> tuple[CommonReason, ...]:
        return tuple(
            CommonReason(
                code,
                status,
                count,
                self._words((code, status)),
                tuple(self.commits[code, status][-_EXAMPLES:]),
            )
            for (code, status), count in self.reasons.most_common(_EXAMPLES)
        )

    def _words(self, key: tuple[str, str]) -> str:
        return sentences(self.codes, self.latest[key])[0]


class Replay:
    """A replay under way: give it the facts of each past change (`names`), then ask for the summary."""

    def __init__(self, policy: BoundPolicy, target: str) -> None:
        self._policy = policy
        self._target = target
        self.names = frozenset((*_ALWAYS, *needed(clauses_at(policy, Point.MERGE, target))))
        self._outcomes: Counter[Outcome] = Counter()
        self._heads: list[str] = []
        self._tallies = {
            bound.clause.id: _Tally(bound.control.codes if bound.control is not None else Reasons)
            for bound in policy.clauses
        }

    def judge(self, facts: Facts, now: str) -> Decision:
        """One past change, judged by today's policy for the moment `now`."""
        decision = judge(self._policy, facts, Point.MERGE, now)
        self._outcomes[decision.outcome] += 1
        self._heads = [*self._heads[:1], decision.head]
        for result in decision.results:
            self._tallies[result.clause].add(result.status, result.reasons, decision.head)
            self._tallies[result.clause].excepted += bool(result.exception)
        return decision

    def summary(self, now: str, today: Facts = NOTHING_KNOWN) -> Summary:
        """Everything judged so far; and for the clauses that judge no change, their state by the facts of `today`."""
        report = {r.clause: r for r in judge(self._policy, today, Point.STATE, now).results}
        return Summary(
            repository=self._policy.policy.repository,
            target=self._target,
            policy=self._policy.policy.digest,
            change_count=self._outcomes.total(),
            allowed_count=self._outcomes[Outcome.ALLOW],
            denied_count=self._outcomes[Outcome.DENY],
            first_commit=self._heads[0] if self._heads else "",
            last_commit=self._heads[-1] if self._heads else "",
            clauses=tuple(self._row(bound, report.get(bound.clause.id)) for bound in self._policy.clauses),
        )

    def _row(self, bound: BoundClause, report: Result | None) -> ClauseSummary:
        clause, tally = bound.clause, self._tallies[bound.clause.id]
        return ClauseSummary(
            clause=clause.id,
            text=clause.text,
            control=clause.control,
            result_counts={status.value: tally.statuses[status.value] for status in Status},
            exception_count=tally.excepted,
            current_result=_today(bound, report) if Point.MERGE not in clause.enforce else "",
            reasons=tally.common(),
        )


def state_names(policy: BoundPolicy, target: str) -> frozenset[str]:
    """Names of the facts by which the clauses that judge no change have their state, and of those that all judge by."""
    return needed((*clauses_at(policy, Point.STATE, target), *clauses_at(policy, Point.MERGE, target)))


def _today(bound: BoundClause, report: Result | None) -> str:
    if report is None:
        return f"{Status.UNKNOWN.value}: It is evaluated at each deployment."
    codes = bound.control.codes if bound.control is not None else Reasons
    status = "excepted" if report.exception else report.status.value
    shown = next(reason for reason in report.reasons if reason.status is report.status)
    return f"{status}: {sentences(codes, shown)[0]}"
