"""evaluate_policy(): from a policy and facts to one decision. Pure: the same input gives the same bytes.

Guarantees: the clauses to evaluate are fixed before any is evaluated; an unknown fact that a control needs makes its
result unknown; and nothing but results that are met, not applicable, or covered gives an allow.
"""

from functools import lru_cache
from typing import Any

from msgspec import Struct, structs

from muniment.controls.control import Case, Control, Reason, ResultStatus
from muniment.decision.binding import BoundClause, BoundPolicy
from muniment.decision.decision import Decision, Outcome, Reasons, Result
from muniment.decision.exceptions import find_covering_exception
from muniment.decision.freezes import format_freeze_scope, is_freeze_in_force, is_freeze_over
from muniment.facts import kinds, moments
from muniment.facts.change import File, Revision
from muniment.facts.facts import FactKind, Facts
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import People
from muniment.facts.statements import PEOPLE_TO_LIFT, Freeze
from muniment.policy.model import Clause, EnforcementPoint
from muniment.policy.patterns import matches_any

_NOWHERE = Revision("", "", "", "", Unknown("the revision is unknown"))
_ACTIONS = {EnforcementPoint.MERGE: "merges", EnforcementPoint.DEPLOY: "deployments"}
_APPOINT = "Nobody can lift it yet: first give {missing} more people that role (page People, or people.toml). "
_LIFT, _LIFT_EARLIER = "lift it", "can lift it earlier"
_BLOCKING = (ResultStatus.VIOLATED, ResultStatus.UNKNOWN)
_WORST_FIRST = (ResultStatus.VIOLATED, ResultStatus.UNKNOWN, ResultStatus.MET, ResultStatus.NOT_APPLICABLE)


class _Plan(Struct, frozen=True):
    """Clauses that are evaluated at a point on a branch, and the kinds of facts that their controls read."""

    clauses: tuple[BoundClause, ...]
    kinds: tuple[FactKind[Any], ...]


class _Evaluation:
    """Input of one decision, and the shared values of its clauses: facts that were looked up, values derived
    from them.
    """

    __slots__ = ("_values", "derived", "facts", "now", "point", "revision")

    def __init__(self, plan: _Plan, facts: Facts, point: EnforcementPoint, now: str, revision: Revision) -> None:
        self.facts = facts
        self.point = point
        self.now = now
        self.revision = revision
        self.derived: dict[Any, Any] = {}
        self._values = {kind.name: facts.get_at(kind, now) for kind in plan.kinds}

    def select_facts(self, control: Control) -> dict[str, Maybe[object]]:
        """Facts that a control reads, by name, and no others."""
        values = self._values
        return {name: values[name] for name in control.fact_names}


def evaluate_policy(policy: BoundPolicy, facts: Facts, point: EnforcementPoint, now: str) -> Decision:
    """Decide at `point` for the moment `now` (`facts.moments`)."""
    revision = facts.get(kinds.REVISION)
    about = revision.value if isinstance(revision, Known) else _NOWHERE
    plan = _create_plan(policy, point, about.target if isinstance(revision, Known) else None)
    evaluation = _Evaluation(plan, facts, point, now, about)
    results = tuple([_evaluate_clause(clause, evaluation) for clause in plan.clauses])
    reasons = (
        *_list_freeze_reasons(facts, point, now),
        *(() if results else (_explain_unenforced(policy, point, about),)),
    )
    stopped = any(result.is_blocking for result in results) or any(reason.status in _BLOCKING for reason in reasons)
    return Decision(
        outcome=Outcome.DENY if stopped else Outcome.ALLOW,
        point=point,
        time=now,
        policy=policy.policy.digest,
        facts=facts.digest,
        repository=about.repository,
        target=about.target,
        base=about.base,
        head=about.head,
        preview=_is_preview(plan.clauses, facts, point),
        results=results,
        reasons=reasons,
    )


def select_clauses(policy: BoundPolicy, point: EnforcementPoint, target: str | None) -> tuple[BoundClause, ...]:
    """Clauses that are evaluated at `point` on the branch `target` (a full ref), in the policy's order.

    For the state of a product: those that are enforced nowhere. An unknown target (None) is every branch.
    """
    return _create_plan(policy, point, target).clauses


@lru_cache(maxsize=256)  # by the policy's digest: it stays the same for many changes of the same few branches
def _create_plan(policy: BoundPolicy, point: EnforcementPoint, target: str | None) -> _Plan:
    clauses = tuple(b for b in policy.clauses if point in _list_points(b.clause) and _is_on(b.clause, target))
    read = {kind.name: kind for b in clauses if b.control is not None for kind in b.control.fact_kinds}
    return _Plan(clauses, tuple(read.values()))


def list_needed_facts(clauses: tuple[BoundClause, ...]) -> frozenset[str]:
    """Names of all facts that the evaluation of `clauses` needs."""
    names = {kinds.REVISION.name, kinds.PUSHES.name, kinds.PEOPLE.name, kinds.EXCEPTIONS.name, kinds.FREEZES.name}
    for bound in clauses:
        if bound.clause.paths:
            names.add(kinds.FILES.name)
        if bound.control is not None:
            names.update(bound.control.fact_names)
    return frozenset(names)


def _is_preview(clauses: tuple[BoundClause, ...], facts: Facts, point: EnforcementPoint) -> bool:
    """Whether the decision rests on assumed pushers, or on approvals of which it is unknown whether they are spent.

    A deployment does only if a clause reads them.
    """
    pushes, landed = facts.get(kinds.PUSHES), facts.get(kinds.LANDED_HEADS)
    supposed = (isinstance(pushes, Known) and pushes.value.preview) or (
        isinstance(landed, Known) and landed.value.preview
    )
    if not supposed:
        return False
    return point is EnforcementPoint.MERGE or any(
        kinds.PUSHES in bound.control.fact_kinds for bound in clauses if bound.control is not None
    )


def _list_points(clause: Clause) -> tuple[EnforcementPoint, ...]:
    return clause.enforce or (EnforcementPoint.STATE,)


def _is_on(clause: Clause, target: str | None) -> bool:
    return not clause.branches or target is None or matches_any(target.removeprefix("refs/heads/"), clause.branches)


def _list_freeze_reasons(facts: Facts, point: EnforcementPoint, now: str) -> tuple[Reason, ...]:
    """Freezes, which block whatever the clauses say. The state of a product is not blocked."""
    if point is EnforcementPoint.STATE:
        return ()
    freezes = facts.get(kinds.FREEZES)
    if isinstance(freezes, Unknown):
        return (Reasons.FREEZES_UNKNOWN(f"point:{point.value}", stopped=_ACTIONS[point], why=freezes.reason),)
    people = facts.get(kinds.PEOPLE)
    known = people.value if isinstance(people, Known) else None
    return tuple(
        _explain_freeze(freeze, known, point, now) for freeze in freezes.value if not is_freeze_over(freeze, now)
    )


def _explain_freeze(freeze: Freeze, people: People | None, point: EnforcementPoint, now: str) -> Reason:
    person = people.labels.get(freeze.person, freeze.person) if people is not None else freeze.person
    subject, details = f"freeze:{freeze.id}", {"person": person, "since": freeze.since[:16], "why": freeze.reason}
    until = f" until {freeze.until[:16]}" if freeze.until else ""
    if not is_freeze_in_force(freeze, now):
        scope = _ACTIONS[point] + format_freeze_scope(freeze)
        what = f"a freeze drill for {scope}" if freeze.drill else f"a freeze of {scope}"
        return Reasons.FREEZE_ANNOUNCED(subject, what=what, until=until, **details)
    if freeze.drill:
        return Reasons.FREEZE_DRILL(subject, **details)
    missing = PEOPLE_TO_LIFT - len(people.security_officers) if people is not None else 0
    appoint = _APPOINT.format(missing=missing) if missing > 0 else ""
    stopped = _ACTIONS[point] + format_freeze_scope(freeze)
    lift = _LIFT_EARLIER if freeze.until else _LIFT
    return Reasons.FROZEN(subject, stopped=stopped, until=until, appoint=appoint, lift=lift, **details)


def _explain_unenforced(policy: BoundPolicy, point: EnforcementPoint, revision: Revision) -> Reason:
    subject = f"ref:{revision.target}"
    why = policy.policy.unenforced.get(point)
    if why is None:
        return Reasons.NO_CLAUSE_ENFORCED(subject, point=point.value)
    return Reasons.EXPLICITLY_UNENFORCED(subject, point=point.value, why=why)


def _evaluate_clause(bound: BoundClause, evaluation: _Evaluation) -> Result:
    reasons = _find_reasons(bound, evaluation)
    clause = bound.clause
    result = Result(
        clause=clause.id,
        control=clause.control,
        control_version=bound.control.version if bound.control is not None else 0,
        status=_find_worst_status(reasons),
        reasons=reasons,
        enforced=evaluation.point is not EnforcementPoint.STATE
        and (clause.monitoring_until is None or moments.utc_date(evaluation.now) > clause.monitoring_until),
    )
    return _apply_exception(result, evaluation) if result.is_blocking else result


def _find_worst_status(reasons: tuple[Reason, ...]) -> ResultStatus:
    """The status of a result with these reasons, of which there is at least one."""
    found = [reason.status for reason in reasons]
    return next(status for status in _WORST_FIRST if status in found)


def _find_reasons(bound: BoundClause, evaluation: _Evaluation) -> tuple[Reason, ...]:
    clause, control = bound.clause, bound.control
    if clause.paths:
        files = evaluation.facts.get(kinds.FILES)
        if isinstance(files, Known) and not _is_touched(files.value, clause.paths):
            return (Reasons.PATHS_NOT_TOUCHED(f"clause:{clause.id}"),)
    if control is None:
        if bound.problem:
            return (Reasons.CLAUSE_NOT_EVALUABLE(f"clause:{clause.id}", problem=bound.problem),)
        if bound.is_planned:
            return (Reasons.CONTROL_NOT_AVAILABLE(f"control:{clause.control}"),)
        return (Reasons.NO_CONTROL(f"clause:{clause.id}"),)
    case = Case(evaluation.select_facts(control), bound.parameters, evaluation.now, evaluation.derived)
    reasons = case.explain_unknown(control.needs) or control.evaluate(case)
    return reasons or (Reasons.CONTROL_WITHOUT_RESULT(f"control:{control.name}"),)


def _is_touched(files: tuple[File, ...], patterns: tuple[str, ...]) -> bool:
    return any(matches_any(path, patterns) for file in files for path in (file.path, file.old_path))


def _apply_exception(result: Result, evaluation: _Evaluation) -> Result:
    exceptions, people = evaluation.facts.get(kinds.EXCEPTIONS), evaluation.facts.get(kinds.PEOPLE)
    if isinstance(exceptions, Unknown) or isinstance(people, Unknown):
        return result
    found = find_covering_exception(exceptions.value, people.value, result.clause, evaluation.revision, evaluation.now)
    return structs.replace(result, exception=found)
