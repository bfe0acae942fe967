"""Report of a decision for people and programs: reasons with sentences, contributors and approvals with their roles.

This is the JSON of `muniment check`; its schema is generated into docs/reference/check.schema.json.
"""

from msgspec import Struct

from muniment.controls import code_review
from muniment.controls.code_review import CodeReview
from muniment.controls.control import Case, Codes, Reason
from muniment.decision.binding import BoundPolicy
from muniment.decision.decision import Decision, Outcome, Reasons, Result, answer_of, sentences
from muniment.facts import kinds
from muniment.facts.facts import Facts
from muniment.facts.maybe import Known
from muniment.policy.model import Point


class PolicyReference(Struct, frozen=True):
    """Policy of the evaluation."""

    digest: str


class RevisionReport(Struct, frozen=True):
    """Revision that was evaluated. `update` is the effect on the branch, or "unknown"."""

    repository: str
    target: str
    base: str
    head: str
    update: str


class ReasonReport(Struct, frozen=True):
    """Reason with its sentences. `details` filled the sentences, besides the subject.

    `settled_by` is the action of the statement that settles it (`facts.statements.ReviewAction`), "" where none does.
    """

    code: str
    message: str
    remedy: str
    subject: str
    details: dict[str, str | int] = {}
    settled_by: str = ""


class ResultReport(Struct, frozen=True):
    """Result of one clause. `enforced` is false while the clause is monitored."""

    clause: str
    text: str
    control: str
    control_version: int
    status: str
    enforced: bool
    exception: str
    reasons: tuple[ReasonReport, ...]


class ContributionReport(Struct, frozen=True):
    """Role of a contributor in one commit."""

    role: str
    commit: str


class ContributorReport(Struct, frozen=True):
    """A contributor: `person` is the id of somebody known, else `identity` is what was read. The other is ""."""

    person: str
    identity: str
    roles: tuple[ContributionReport, ...]


class ApprovalReport(Struct, frozen=True):
    """Statement on the change or on a linked head, with the codes for which it does not count."""

    person: str
    head: str
    action: str
    counted: bool
    reasons_not_counted: tuple[str, ...]


class DecisionReport(Struct, frozen=True):
    """Decision as a report. `eligible_reviewers` are persons whose approval would count and is not there yet; `names`
    are those of the persons in it, by id, where people type another name for them than the id.

    `spent_approvals_known` is false where no ledger was read that tells which approvals are spent: all are supposed to
    count.

    `missing_facts` says, if the code review could not be read at all, what is missing; contributors and approvals are
    then empty because nobody knows them.
    """

    decision: Outcome
    point: Point
    preview: bool
    time: str
    policy: PolicyReference
    facts: str
    revision: RevisionReport
    results: tuple[ResultReport, ...]
    reasons: tuple[ReasonReport, ...]
    contributors: tuple[ContributorReport, ...]
    merger: str
    approvals: tuple[ApprovalReport, ...]
    eligible_reviewers: tuple[str, ...]
    missing_facts: tuple[str, ...]
    names: dict[str, str] = {}
    spent_approvals_known: bool = True


def account(decision: Decision, policy: BoundPolicy, facts: Facts) -> DecisionReport:
    """The account of `decision`, which came of `policy` and `facts`."""
    review = _code_review(facts, decision.time)
    return DecisionReport(
        decision=decision.outcome,
        point=decision.point,
        preview=decision.preview,
        time=decision.time,
        policy=PolicyReference(decision.policy),
        facts=decision.facts,
        revision=_revision(decision, facts),
        results=tuple(_result(result, policy) for result in decision.results),
        reasons=tuple(_reason(Reasons, reason) for reason in decision.reasons),
        contributors=_contributors(review) if isinstance(review, CodeReview) else (),
        merger=review.merger if isinstance(review, CodeReview) else "",
        approvals=_approvals(review) if isinstance(review, CodeReview) else (),
        eligible_reviewers=review.could_approve if isinstance(review, CodeReview) else (),
        missing_facts=() if isinstance(review, CodeReview) else review,
        names=_names(review) if isinstance(review, CodeReview) else {},
        spent_approvals_known=not _are_spent_supposed(facts),
    )


def _are_spent_supposed(facts: Facts) -> bool:
    landed = facts.get(kinds.LANDED_HEADS)
    return isinstance(landed, Known) and landed.value.preview


def _names(review: CodeReview) -> dict[str, str]:
    """The name of each person in an account, by id, where it is not the id itself."""
    identities = (*review.contributors, review.merger)
    people = {identity.removeprefix("person:") for identity in identities}  # a machine's is no id of a person
    people |= {judged.approval.ref_person for judged in review.judged} | set(review.could_approve)
    labels = review.people.labels
    return {person: labels[person] for person in sorted(people) if labels.get(person, person) != person}


def _code_review(facts: Facts, now: str) -> CodeReview | tuple[str, ...]:
    case = Case({kind.name: facts.get(kind) for kind in code_review.NEEDS}, None, now, {})
    unlearnt = tuple(sentences(Reasons, reason)[0] for reason in case.unlearnt(code_review.NEEDS))
    return unlearnt or code_review.read(case)


def _revision(decision: Decision, facts: Facts) -> RevisionReport:
    revision = facts.get(kinds.REVISION)
    update = revision.value.update if isinstance(revision, Known) else revision
    return RevisionReport(
        repository=decision.repository,
        target=decision.target,
        base=decision.base,
        head=decision.head,
        update=update.value.value if isinstance(update, Known) else "unknown",
    )


def _result(result: Result, policy: BoundPolicy) -> ResultReport:
    bound = next(bound for bound in policy.clauses if bound.clause.id == result.clause)
    codes = Reasons if bound.control is None else bound.control.codes
    return ResultReport(
        clause=result.clause,
        text=bound.clause.text,
        control=result.control,
        control_version=result.control_version,
        status=result.status.value,
        enforced=result.enforced,
        exception=result.exception,
        reasons=tuple(_reason(codes, reason) for reason in result.reasons),
    )


def _reason(codes: type[Codes], reason: Reason) -> ReasonReport:
    message, remedy = sentences(codes, reason)
    settled_by = answer_of(codes, reason).settled_by
    return ReasonReport(reason.code, message, remedy, reason.subject, reason.details, settled_by or "")


def _contributors(review: CodeReview) -> tuple[ContributorReport, ...]:
    known = [
        ContributorReport(
            who.removeprefix("person:") if who.startswith("person:") else "",
            "" if who.startswith("person:") else who,
            tuple(ContributionReport(part.because.value, part.commit) for part in parts),
        )
        for who, parts in review.contributors.items()
    ]
    strangers: dict[str, list[ContributionReport]] = {}
    for stranger in review.strangers:
        strangers.setdefault(stranger.subject, []).append(ContributionReport(stranger.because.value, stranger.commit))
    return (*known, *(ContributorReport("", subject, tuple(because)) for subject, because in strangers.items()))


def _approvals(review: CodeReview) -> tuple[ApprovalReport, ...]:
    return tuple(
        ApprovalReport(
            person=judged.approval.ref_person,
            head=judged.approval.ref_head,
            action=judged.approval.action.value,
            counted=judged.counted,
            reasons_not_counted=judged.why_not,
        )
        for judged in review.judged
    )
