"""A decision told to people and programs: each reason with its sentences, each contributor and approval with its why.

This is the JSON of `muniment check`; its schema is generated into docs/check.schema.json.
"""

from msgspec import Struct

from muniment.controls import code_review
from muniment.controls.code_review import CodeReview
from muniment.controls.control import Case, Codes, Reason
from muniment.decision.binding import BoundPolicy
from muniment.decision.decision import Decision, Outcome, Reasons, Result, sentences
from muniment.facts import kinds
from muniment.facts.facts import Facts
from muniment.facts.maybe import Known
from muniment.policy.model import Point


class PolicyTold(Struct, frozen=True):
    """Which policy judged."""

    digest: str


class RevisionTold(Struct, frozen=True):
    """What was judged. `update` is what becomes of the branch, "unknown" if that could not be learnt."""

    repository: str
    target: str
    base: str
    head: str
    update: str


class ReasonTold(Struct, frozen=True):
    """One reason, in words. `details` are what its sentences were filled with, besides the subject."""

    code: str
    message: str
    remedy: str
    subject: str
    details: dict[str, str | int] = {}


class ResultTold(Struct, frozen=True):
    """One clause, and what its control says. `enforced` is false while it only reports."""

    clause: str
    text: str
    control: str
    version: int
    status: str
    enforced: bool
    exception: str
    reasons: tuple[ReasonTold, ...]


class BecauseTold(Struct, frozen=True):
    """One hand that somebody had in the change."""

    role: str
    commit: str


class ContributorTold(Struct, frozen=True):
    """A contributor: `person` is the id of somebody known, else `identity` is what was read. The other is ""."""

    person: str
    identity: str
    because: tuple[BecauseTold, ...]


class ApprovalTold(Struct, frozen=True):
    """One statement on the change or on a head like it, and why it does not count, as codes."""

    person: str
    head: str
    verdict: str
    counted: bool
    why_not: tuple[str, ...]


class Account(Struct, frozen=True):
    """A decision, told. `could_approve` are persons whose approval would count and is not there yet.

    `not_read` says, if the code review could not be read at all, what is missing; contributors and approvals are then
    empty because nobody knows them.
    """

    decision: Outcome
    point: Point
    preview: bool
    time: str
    policy: PolicyTold
    facts: str
    revision: RevisionTold
    results: tuple[ResultTold, ...]
    reasons: tuple[ReasonTold, ...]
    contributors: tuple[ContributorTold, ...]
    merger: str
    approvals: tuple[ApprovalTold, ...]
    could_approve: tuple[str, ...]
    not_read: tuple[str, ...]


def account(decision: Decision, policy: BoundPolicy, facts: Facts) -> Account:
    """The account of `decision`, which came of `policy` and `facts`."""
    review = _code_review(facts, decision.time)
    return Account(
        decision=decision.outcome,
        point=decision.point,
        preview=decision.preview,
        time=decision.time,
        policy=PolicyTold(decision.policy),
        facts=decision.facts,
        revision=_revision(decision, facts),
        results=tuple(_result(result, policy) for result in decision.results),
        reasons=tuple(_reason(Reasons, reason) for reason in decision.reasons),
        contributors=_contributors(review) if isinstance(review, CodeReview) else (),
        merger=review.merger if isinstance(review, CodeReview) else "",
        approvals=_approvals(review) if isinstance(review, CodeReview) else (),
        could_approve=review.could_approve if isinstance(review, CodeReview) else (),
        not_read=() if isinstance(review, CodeReview) else review,
    )


def _code_review(facts: Facts, now: str) -> CodeReview | tuple[str, ...]:
    case = Case({kind.name: facts.get(kind) for kind in code_review.NEEDS}, None, now, {})
    unlearnt = tuple(sentences(Reasons, reason)[0] for reason in case.unlearnt(code_review.NEEDS))
    return unlearnt or code_review.read(case)


def _revision(decision: Decision, facts: Facts) -> RevisionTold:
    revision = facts.get(kinds.REVISION)
    update = revision.value.update if isinstance(revision, Known) else revision
    return RevisionTold(
        repository=decision.repository,
        target=decision.target,
        base=decision.base,
        head=decision.head,
        update=update.value.value if isinstance(update, Known) else "unknown",
    )


def _result(result: Result, policy: BoundPolicy) -> ResultTold:
    bound = next(bound for bound in policy.clauses if bound.clause.id == result.clause)
    codes = Reasons if bound.control is None else bound.control.codes
    return ResultTold(
        clause=result.clause,
        text=bound.clause.text,
        control=result.control,
        version=result.version,
        status=result.status.value,
        enforced=result.enforced,
        exception=result.exception,
        reasons=tuple(_reason(codes, reason) for reason in result.reasons),
    )


def _reason(codes: type[Codes], reason: Reason) -> ReasonTold:
    message, remedy = sentences(codes, reason)
    return ReasonTold(reason.code, message, remedy, reason.subject, reason.details)


def _contributors(review: CodeReview) -> tuple[ContributorTold, ...]:
    known = [
        ContributorTold(
            who.removeprefix("person:") if who.startswith("person:") else "",
            "" if who.startswith("person:") else who,
            tuple(BecauseTold(part.because.value, part.commit) for part in parts),
        )
        for who, parts in review.contributors.items()
    ]
    strangers: dict[str, list[BecauseTold]] = {}
    for stranger in review.strangers:
        strangers.setdefault(stranger.subject, []).append(BecauseTold(stranger.because.value, stranger.commit))
    return (*known, *(ContributorTold("", subject, tuple(because)) for subject, because in strangers.items()))


def _approvals(review: CodeReview) -> tuple[ApprovalTold, ...]:
    return tuple(
        ApprovalTold(
            person=judged.approval.ref_person,
            head=judged.approval.ref_head,
            verdict=judged.approval.verdict.value,
            counted=judged.counted,
            why_not=judged.why_not,
        )
        for judged in review.judged
    )
