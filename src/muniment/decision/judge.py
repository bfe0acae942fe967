"""judge(): from a policy and facts to one decision. Pure: the same input gives the same bytes.

Kept here: the clauses that must be judged are fixed before any is judged; a fact that a control needs and that is not
known makes its result unknown; and nothing but results that are met, not applicable, or covered gives an allow.
"""

from functools import lru_cache
from typing import Any

from msgspec import Struct, structs

from muniment.controls.control import Case, Control, Reason, Status
from muniment.decision.binding import BoundClause, BoundPolicy
from muniment.decision.decision import Decision, Outcome, Reasons, Result
from muniment.decision.exceptions import covering
from muniment.decision.freezes import is_in_force, is_over, scope_text
from muniment.facts import kinds, moments
from muniment.facts.change import File, Revision
from muniment.facts.facts import Facts, Kind
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import People
from muniment.facts.statements import PEOPLE_TO_LIFT, Freeze
from muniment.policy.model import Clause, Point
from muniment.policy.patterns import matches

_NOWHERE = Revision("", "", "", "", Unknown("the revision is unknown"))
_STOPPED = {Point.MERGE: "merges", Point.DEPLOY: "deployments"}
_APPOINT = "Nobody can lift it yet: first give {missing} more people that role (page People, or people.toml). "
_LIFT, _LIFT_EARLIER = "lift it", "can lift it earlier"
_STOPPING = (Status.VIOLATED, Status.UNKNOWN)
_WORST_FIRST = (Status.VIOLATED, Status.UNKNOWN, Status.MET, Status.NOT_APPLICABLE)


class _Plan(Struct, frozen=True):
    """The clauses that are evaluated at a point on a branch, and the kinds of facts that their controls read."""

    clauses: tuple[BoundClause, ...]
    kinds: tuple[Kind[Any], ...]


class _Evaluation:
    """The input of one decision, and what its clauses share: facts that were looked up, values derived from them."""

    __slots__ = ("_values", "derived", "facts", "now", "point", "revision")

    def __init__(self, plan: _Plan, facts: Facts, point: Point, now: str, revision: Revision) -> None:
        self.facts = facts
        self.point = point
        self.now = now
        self.revision = revision
        self.derived: dict[Any, Any] = {}
        self._values = {kind.name: facts.get_at(kind, now) for kind in plan.kinds}

    def facts_for(self, control: Control) -> dict[str, Maybe[Any]]:
        """The facts that a control reads, by name, and nothing else."""
        values = self._values
        return {name: values[name] for name in control.fact_names}


def judge(policy: BoundPolicy, facts: Facts, point: Point, now: str) -> Decision:
    """Decide at `point` for the moment `now` (`facts.moments`)."""
    revision = facts.get(kinds.REVISION)
    about = revision.value if isinstance(revision, Known) else _NOWHERE
    plan = _plan_at(policy, point, about.target if isinstance(revision, Known) else None)
    evaluation = _Evaluation(plan, facts, point, now, about)
    results = tuple([_result(clause, evaluation) for clause in plan.clauses])
    reasons = (*_freezes(facts, point, now), *(() if results else (_nothing_enforced(policy, point, about),)))
    stopped = any(result.stops for result in results) or any(reason.status in _STOPPING for reason in reasons)
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
        preview=_supposed(plan.clauses, facts, point),
        results=results,
        reasons=reasons,
    )


def clauses_at(policy: BoundPolicy, point: Point, target: str | None) -> tuple[BoundClause, ...]:
    """The clauses that are evaluated at `point` on the branch `target` (a full ref), in the policy's order.

    For the state of a product: those that are enforced nowhere. An unknown target (None) is every branch.
    """
    return _plan_at(policy, point, target).clauses


@lru_cache(maxsize=256)  # by the policy's digest: it stays the same for many changes of the same few branches
def _plan_at(policy: BoundPolicy, point: Point, target: str | None) -> _Plan:
    clauses = tuple(b for b in policy.clauses if point in _points(b.clause) and _is_on(b.clause, target))
    read = {kind.name: kind for b in clauses if b.control is not None for kind in b.control.facts}
    return _Plan(clauses, tuple(read.values()))


def needed(clauses: tuple[BoundClause, ...]) -> frozenset[str]:
    """Names of all facts that judging `clauses` takes."""
    names = {kinds.REVISION.name, kinds.PUSHES.name, kinds.PEOPLE.name, kinds.EXCEPTIONS.name, kinds.FREEZES.name}
    for bound in clauses:
        if bound.clause.paths:
            names.add(kinds.FILES.name)
        if bound.control is not None:
            names.update(bound.control.fact_names)
    return frozenset(names)


def _supposed(clauses: tuple[BoundClause, ...], facts: Facts, point: Point) -> bool:
    """Whether it rests on pushers that were supposed, or on approvals of which nobody knows whether they are spent: a
    deployment only if a clause reads them."""
    pushes, landed = facts.get(kinds.PUSHES), facts.get(kinds.LANDED_HEADS)
    supposed = (isinstance(pushes, Known) and pushes.value.preview) or (
        isinstance(landed, Known) and landed.value.preview
    )
    if not supposed:
        return False
    return point is Point.MERGE or any(
        kinds.PUSHES in bound.control.facts for bound in clauses if bound.control is not None
    )


def _points(clause: Clause) -> tuple[Point, ...]:
    return clause.enforce or (Point.STATE,)


def _is_on(clause: Clause, target: str | None) -> bool:
    return not clause.branches or target is None or matches(target.removeprefix("refs/heads/"), clause.branches)


def _freezes(facts: Facts, point: Point, now: str) -> tuple[Reason, ...]:
    """Freezes, which block whatever the clauses say. The state of a product is not blocked."""
    if point is Point.STATE:
        return ()
    freezes = facts.get(kinds.FREEZES)
    if isinstance(freezes, Unknown):
        return (Reasons.FREEZES_UNKNOWN(f"point:{point.value}", stopped=_STOPPED[point], why=freezes.reason),)
    people = facts.get(kinds.PEOPLE)
    known = people.value if isinstance(people, Known) else None
    return tuple(_freeze(freeze, known, point, now) for freeze in freezes.value if not is_over(freeze, now))


def _freeze(freeze: Freeze, people: People | None, point: Point, now: str) -> Reason:
    person = people.labels.get(freeze.person, freeze.person) if people is not None else freeze.person
    subject, details = f"freeze:{freeze.id}", {"person": person, "since": freeze.since[:16], "why": freeze.reason}
    until = f" until {freeze.until[:16]}" if freeze.until else ""
    if not is_in_force(freeze, now):
        scope = _STOPPED[point] + scope_text(freeze)
        what = f"a freeze drill for {scope}" if freeze.drill else f"a freeze of {scope}"
        return Reasons.FREEZE_ANNOUNCED(subject, what=what, until=until, **details)
    if freeze.drill:
        return Reasons.FREEZE_DRILL(subject, **details)
    missing = PEOPLE_TO_LIFT - len(people.security_officers) if people is not None else 0
    appoint = _APPOINT.format(missing=missing) if missing > 0 else ""
    stopped = _STOPPED[point] + scope_text(freeze)
    lift = _LIFT_EARLIER if freeze.until else _LIFT
    return Reasons.FROZEN(subject, stopped=stopped, until=until, appoint=appoint, lift=lift, **details)


def _nothing_enforced(policy: BoundPolicy, point: Point, revision: Revision) -> Reason:
    subject = f"ref:{revision.target}"
    why = policy.policy.unenforced.get(point)
    if why is None:
        return Reasons.NO_CLAUSE_ENFORCED(subject, point=point.value)
    return Reasons.EXPLICITLY_UNENFORCED(subject, point=point.value, why=why)


def _result(bound: BoundClause, evaluation: _Evaluation) -> Result:
    reasons = _reasons(bound, evaluation)
    clause = bound.clause
    result = Result(
        clause=clause.id,
        control=clause.control,
        control_version=bound.control.version if bound.control is not None else 0,
        status=_find_worst(reasons),
        reasons=reasons,
        enforced=evaluation.point is not Point.STATE
        and (clause.monitoring_until is None or moments.day(evaluation.now) > clause.monitoring_until),
    )
    return _excepted(result, evaluation) if result.stops else result


def _find_worst(reasons: tuple[Reason, ...]) -> Status:
    """The status of a result with these reasons, of which there is at least one."""
    found = [reason.status for reason in reasons]
    return next(status for status in _WORST_FIRST if status in found)


def _reasons(bound: BoundClause, evaluation: _Evaluation) -> tuple[Reason, ...]:
    clause, control = bound.clause, bound.control
    if clause.paths:
        files = evaluation.facts.get(kinds.FILES)
        if isinstance(files, Known) and not _touches(files.value, clause.paths):
            return (Reasons.PATHS_NOT_TOUCHED(f"clause:{clause.id}"),)
    if control is None:
        if bound.is_planned:
            return (Reasons.CONTROL_NOT_AVAILABLE(f"control:{clause.control}"),)
        return (Reasons.NO_CONTROL(f"clause:{clause.id}"),)
    case = Case(evaluation.facts_for(control), bound.parameters, evaluation.now, evaluation.derived)
    reasons = case.unlearnt(control.needs) or control.judge(case)
    return reasons or (Reasons.CONTROL_WITHOUT_RESULT(f"control:{control.name}"),)


def _touches(files: tuple[File, ...], patterns: tuple[str, ...]) -> bool:
    return any(matches(path, patterns) for file in files for path in (file.path, file.old_path))


def _excepted(result: Result, evaluation: _Evaluation) -> Result:
    exceptions, people = evaluation.facts.get(kinds.EXCEPTIONS), evaluation.facts.get(kinds.PEOPLE)
    if isinstance(exceptions, Unknown) or isinstance(people, Unknown):
        return result
    found = covering(exceptions.value, people.value, result.clause, evaluation.revision, evaluation.now)
    return structs.replace(result, exception=found)
