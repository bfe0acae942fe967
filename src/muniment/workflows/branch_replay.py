"""Evaluate a branch's past, one first-parent commit at a time, and count the results of each clause."""

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from muniment.controls.control import Reason, ReasonCodes, ResultStatus
from muniment.decision.binding import BoundClause, BoundPolicy
from muniment.decision.decision import Decision, Outcome, Reasons, Result, format_sentences
from muniment.decision.evaluation import evaluate_policy, list_needed_facts, select_clauses
from muniment.facts import kinds
from muniment.facts.facts import Facts
from muniment.policy.model import EnforcementPoint

NOTHING_KNOWN = Facts({})
_CORE_FACTS = tuple(
    kind.name for kind in (kinds.REVISION, kinds.PUSHES, kinds.APPROVED_HEADS, kinds.APPROVALS, kinds.LANDED_HEADS)
)
_EXAMPLES = 3


class ClauseSummary(Struct, frozen=True):
    """Results of one clause over all evaluated changes, and its commonest reasons.

    `exception_count` of those that block were covered by an exception. A clause that is enforced at another point has
    its state today in `current_result`.
    """

    clause: str
    text: str
    control: str
    result_counts: dict[str, int]
    exception_count: int
    current_result: str
    reasons: tuple["CommonReason", ...]


class CommonReason(Struct, frozen=True):
    """Reason with its count, the sentence of its latest case, and the latest commits that have it."""

    code: str
    result: str
    count: int
    message: str
    commits: tuple[str, ...]


class Summary(Struct, frozen=True):
    """Whole replay. `first_commit` and `last_commit` are the oldest and newest evaluated ones; dates are not stored
    here.
    """

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

    def __init__(self, codes: type[ReasonCodes]) -> None:
        self.codes = codes
        self.statuses: Counter[str] = Counter()
        self.excepted = 0
        self.reasons: Counter[tuple[str, str]] = Counter()
        self.latest: dict[tuple[str, str], Reason] = {}
        self.commits: dict[tuple[str, str], list[str]] = {}

    def add_result(self, status: ResultStatus, reasons: Iterable[Reason], head: str) -> None:
        self.statuses[status.value] += 1
        for reason in reasons:
            if reason.status is status and status in (ResultStatus.VIOLATED, ResultStatus.UNKNOWN):
                key = (reason.code, reason.status.value)
                if head not in self.commits.setdefault(key, [])[-1:]:
                    self.reasons[key] += 1
                    self.commits[key].append(head)
                self.latest[key] = reason

    def list_common_reasons(self) -> tuple[CommonReason, ...]:
        return tuple(
            CommonReason(
                code,
                status,
                count,
                self._format_reason((code, status)),
                tuple(self.commits[code, status][-_EXAMPLES:]),
            )
            for (code, status), count in self.reasons.most_common(_EXAMPLES)
        )

    def _format_reason(self, key: tuple[str, str]) -> str:
        return format_sentences(self.codes, self.latest[key])[0]


class Replay:
    """Replay in progress: give it the facts of each past change (`names`), then ask for the summary."""

    def __init__(self, policy: BoundPolicy, target: str) -> None:
        self._policy = policy
        self._target = target
        self.names = frozenset(
            (*_CORE_FACTS, *list_needed_facts(select_clauses(policy, EnforcementPoint.MERGE, target)))
        )
        self._outcomes: Counter[Outcome] = Counter()
        self._heads: list[str] = []
        self._tallies = {
            bound.clause.id: _Tally(bound.control.codes if bound.control is not None else Reasons)
            for bound in policy.clauses
        }

    def replay_change(self, facts: Facts, now: str) -> Decision:
        """Evaluate one past change by today's policy for the moment `now`."""
        decision = evaluate_policy(self._policy, facts, EnforcementPoint.MERGE, now)
        self._outcomes[decision.outcome] += 1
        self._heads = [*self._heads[:1], decision.head]
        for result in decision.results:
            self._tallies[result.clause].add_result(result.status, result.reasons, decision.head)
            self._tallies[result.clause].excepted += bool(result.exception)
        return decision

    def build_summary(self, now: str, today: Facts = NOTHING_KNOWN) -> Summary:
        """Summarize all evaluated changes; and for clauses that evaluate no change, their state by the facts of
        `today`.
        """
        report = {r.clause: r for r in evaluate_policy(self._policy, today, EnforcementPoint.STATE, now).results}
        return Summary(
            repository=self._policy.policy.repository,
            target=self._target,
            policy=self._policy.policy.digest,
            change_count=self._outcomes.total(),
            allowed_count=self._outcomes[Outcome.ALLOW],
            denied_count=self._outcomes[Outcome.DENY],
            first_commit=self._heads[0] if self._heads else "",
            last_commit=self._heads[-1] if self._heads else "",
            clauses=tuple(self._build_row(bound, report.get(bound.clause.id)) for bound in self._policy.clauses),
        )

    def _build_row(self, bound: BoundClause, report: Result | None) -> ClauseSummary:
        clause, tally = bound.clause, self._tallies[bound.clause.id]
        return ClauseSummary(
            clause=clause.id,
            text=clause.text,
            control=clause.control,
            result_counts={status.value: tally.statuses[status.value] for status in ResultStatus},
            exception_count=tally.excepted,
            current_result=_format_current_result(bound, report)
            if EnforcementPoint.MERGE not in clause.enforce
            else "",
            reasons=tally.list_common_reasons(),
        )


def state_fact_names(policy: BoundPolicy, target: str) -> frozenset[str]:
    """Names of the facts that clauses without changes need for their state, and of those that all clauses need."""
    return list_needed_facts(
        (
            *select_clauses(policy, EnforcementPoint.STATE, target),
            *select_clauses(policy, EnforcementPoint.MERGE, target),
        )
    )


def _format_current_result(bound: BoundClause, report: Result | None) -> str:
    if report is None:
        return f"{ResultStatus.UNKNOWN.value}: It is evaluated at each deployment."
    codes = bound.control.codes if bound.control is not None else Reasons
    status = "excepted" if report.exception else report.status.value
    first = next(reason for reason in report.reasons if reason.status is report.status)
    return f"{status}: {format_sentences(codes, first)[0]}"
