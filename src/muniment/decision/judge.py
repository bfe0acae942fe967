"""judge(): from a policy and facts to one decision. Pure: the same input gives the same bytes.

Kept here: the clauses that must be judged are fixed before any is judged; a fact that a control needs and that is not
known makes its result unknown; and nothing but results that are satisfied, not applicable, or covered gives an allow.
"""

from typing import Any

from msgspec import structs

from muniment.controls.control import Case, Reason, Status
from muniment.decision.binding import BoundClause, BoundPolicy
from muniment.decision.decision import Decision, Outcome, Reasons, Result
from muniment.decision.exceptions import covering
from muniment.facts import kinds, moments
from muniment.facts.change import File, Revision
from muniment.facts.facts import Facts
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.statements import Freeze
from muniment.policy.model import Clause, Point
from muniment.policy.patterns import matches

_NOWHERE = Revision("", "", "", "", Unknown("the revision could not be learnt"))
_STOPPED = {Point.MERGE: "merges", Point.DEPLOY: "deployments"}
_STOPPING = (Status.VIOLATED, Status.UNKNOWN)
_WORST_FIRST = (Status.VIOLATED, Status.UNKNOWN, Status.SATISFIED, Status.NOT_APPLICABLE)


def judge(policy: BoundPolicy, facts: Facts, point: Point, now: str) -> Decision:
    """One decision at `point`, for the moment `now` (`facts.moments`)."""
    revision = facts.get(kinds.REVISION)
    about = revision.value if isinstance(revision, Known) else _NOWHERE
    clauses = biting(policy, point, about.target if isinstance(revision, Known) else None)
    derived: dict[Any, Any] = {}
    results = tuple(_result(clause, facts, point, now, about, derived) for clause in clauses)
    reasons = (*_freezes(facts, point), *(() if results else (_nothing_bites(policy, point, about),)))
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
        preview=_supposed(clauses, facts, point),
        results=results,
        reasons=reasons,
    )


def biting(policy: BoundPolicy, point: Point, target: str | None) -> tuple[BoundClause, ...]:
    """The clauses that bite at `point` on the branch `target` (a full ref), in the policy's order.

    A target that could not be learnt (None) is every branch.
    """
    return tuple(bound for bound in policy.clauses if point in bound.clause.bites and _is_on(bound.clause, target))


def needed(clauses: tuple[BoundClause, ...]) -> frozenset[str]:
    """Names of all facts that judging `clauses` takes."""
    names = {kinds.REVISION.name, kinds.PUSHES.name, kinds.PEOPLE.name, kinds.EXCEPTIONS.name, kinds.FREEZES.name}
    for bound in clauses:
        if bound.clause.paths:
            names.add(kinds.FILES.name)
        if bound.control is not None:
            names.update(kind.name for kind in (*bound.control.needs, *bound.control.consults))
    return frozenset(names)


def _supposed(clauses: tuple[BoundClause, ...], facts: Facts, point: Point) -> bool:
    """Whether it rests on pushers that were supposed: a deployment only if a clause reads them."""
    pushes = facts.get(kinds.PUSHES)
    reads = any(
        kinds.PUSHES in (*bound.control.needs, *bound.control.consults)
        for bound in clauses
        if bound.control is not None
    )
    return isinstance(pushes, Known) and pushes.value.preview and (point is Point.MERGE or reads)


def _is_on(clause: Clause, target: str | None) -> bool:
    return not clause.branches or target is None or matches(target.removeprefix("refs/heads/"), clause.branches)


def _freezes(facts: Facts, point: Point) -> tuple[Reason, ...]:
    """What stops everything, whatever the clauses say. A report stops nothing."""
    if point is Point.REPORT:
        return ()
    freezes = facts.get(kinds.FREEZES)
    if isinstance(freezes, Unknown):
        return (Reasons.FREEZES_NOT_LEARNT(f"point:{point.value}", stopped=_STOPPED[point], why=freezes.why),)
    return tuple(_freeze(freeze, point) for freeze in freezes.value)


def _freeze(freeze: Freeze, point: Point) -> Reason:
    details = {"person": freeze.person, "since": freeze.since[:16], "why": freeze.reason}
    if freeze.rehearsal:
        return Reasons.FREEZE_REHEARSED(f"freeze:{freeze.id}", **details)
    return Reasons.FROZEN(f"freeze:{freeze.id}", stopped=_STOPPED[point], **details)


def _nothing_bites(policy: BoundPolicy, point: Point, revision: Revision) -> Reason:
    subject = f"ref:{revision.target}"
    why = policy.policy.unjudged.get(point)
    if why is None:
        return Reasons.NO_CLAUSE_BITES(subject, point=point.value)
    return Reasons.JUDGED_BY_NOBODY(subject, point=point.value, why=why)


def _result(
    bound: BoundClause, facts: Facts, point: Point, now: str, revision: Revision, derived: dict[Any, Any]
) -> Result:
    reasons = _reasons(bound, facts, now, derived)
    status = next(status for status in _WORST_FIRST if any(reason.status is status for reason in reasons))
    clause = bound.clause
    result = Result(
        clause=clause.id,
        control=clause.control,
        version=bound.control.version if bound.control is not None else 0,
        status=status,
        reasons=reasons,
        enforced=point is not Point.REPORT and (clause.report_until is None or moments.day(now) > clause.report_until),
    )
    return _excepted(result, facts, revision, now) if result.stops else result


def _reasons(bound: BoundClause, facts: Facts, now: str, derived: dict[Any, Any]) -> tuple[Reason, ...]:
    clause, control = bound.clause, bound.control
    if clause.paths:
        files = facts.get(kinds.FILES)
        if isinstance(files, Known) and not _touches(files.value, clause.paths):
            return (Reasons.OTHER_PATHS(f"clause:{clause.id}"),)
    if control is None:
        if bound.later_part:
            return (Reasons.NOT_EVALUATED_YET(f"control:{clause.control}", part=bound.later_part),)
        return (Reasons.UNCOVERED(f"clause:{clause.id}"),)
    read: dict[str, Maybe[Any]] = {kind.name: facts.get_at(kind, now) for kind in (*control.needs, *control.consults)}
    case = Case(read, bound.parameters, now, derived)
    said_nothing = Reasons.CONTROL_SAID_NOTHING(f"control:{control.name}")
    return case.unlearnt(control.needs) or control.judge(case) or (said_nothing,)


def _touches(files: tuple[File, ...], patterns: tuple[str, ...]) -> bool:
    return any(matches(path, patterns) for file in files for path in (file.path, file.old_path))


def _excepted(result: Result, facts: Facts, revision: Revision, now: str) -> Result:
    exceptions, people = facts.get(kinds.EXCEPTIONS), facts.get(kinds.PEOPLE)
    if isinstance(exceptions, Unknown) or isinstance(people, Unknown):
        return result
    found = covering(exceptions.value, people.value, result.clause, revision, now)
    return structs.replace(result, exception=found)
