"""Report of a decision for people and programs: reasons with sentences, contributors and approvals with their roles.

This is the JSON of `muniment check`; its schema is generated into docs/reference/check.schema.json.
"""

from msgspec import Struct

from muniment.controls import code_review
from muniment.controls.code_review import CodeReview
from muniment.controls.control import Case, Reason, ReasonCodes
from muniment.decision.binding import BoundPolicy
from muniment.decision.decision import Decision, Outcome, Reasons, Result, find_template, format_sentences
from muniment.facts import kinds
from muniment.facts.facts import Facts
from muniment.facts.maybe import Known
from muniment.policy.model import EnforcementPoint


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
    """Contributor: `person` is the id of a known person, else `identity` is what was read. The other is ""."""

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

    `spent_approvals_known` is false where no ledger was read that tells which approvals are spent: all are assumed to
    count.

    `missing_facts` says, if the code review could not be read at all, what is missing; contributors and approvals are
    then empty because nobody knows them.
    """

    decision: Outcome
    point: EnforcementPoint
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


def build_decision_report(decision: Decision, policy: BoundPolicy, facts: Facts) -> DecisionReport:
    """Build the report of `decision`, which came of `policy` and `facts`."""
    review = _read_review(facts, decision.time)
    return DecisionReport(
        decision=decision.outcome,
        point=decision.point,
        preview=decision.preview,
        time=decision.time,
        policy=PolicyReference(decision.policy),
        facts=decision.facts,
        revision=_report_revision(decision, facts),
        results=tuple(_report_result(result, policy) for result in decision.results),
        reasons=tuple(_report_reason(Reasons, reason) for reason in decision.reasons),
        contributors=_report_contributors(review) if isinstance(review, CodeReview) else (),
        merger=review.merger if isinstance(review, CodeReview) else "",
        approvals=_report_approvals(review) if isinstance(review, CodeReview) else (),
        eligible_reviewers=review.eligible_reviewers if isinstance(review, CodeReview) else (),
        missing_facts=() if isinstance(review, CodeReview) else review,
        names=_name_people(review) if isinstance(review, CodeReview) else {},
        spent_approvals_known=not _are_spent_assumed(facts),
    )


def _are_spent_assumed(facts: Facts) -> bool:
    landed = facts.get(kinds.LANDED_HEADS)
    return isinstance(landed, Known) and landed.value.preview


def _name_people(review: CodeReview) -> dict[str, str]:
    """Name of each person in a report, by id, where it is not the id itself."""
    identities = (*review.contributors, review.merger)
    people = {identity.removeprefix("person:") for identity in identities}  # a machine's is no id of a person
    people |= {statement.approval.ref_person for statement in review.statements} | set(review.eligible_reviewers)
    labels = review.people.labels
    return {person: labels[person] for person in sorted(people) if labels.get(person, person) != person}


def _read_review(facts: Facts, now: str) -> CodeReview | tuple[str, ...]:
    case = Case({kind.name: facts.get(kind) for kind in code_review.NEEDS}, None, now, {})
    unlearnt = tuple(format_sentences(Reasons, reason)[0] for reason in case.explain_unknown(code_review.NEEDS))
    return unlearnt or code_review.read_code_review(case)


def _report_revision(decision: Decision, facts: Facts) -> RevisionReport:
    revision = facts.get(kinds.REVISION)
    update = revision.value.update if isinstance(revision, Known) else revision
    return RevisionReport(
        repository=decision.repository,
        target=decision.target,
        base=decision.base,
        head=decision.head,
        update=update.value.value if isinstance(update, Known) else "unknown",
    )


def _report_result(result: Result, policy: BoundPolicy) -> ResultReport:
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
        reasons=tuple(_report_reason(codes, reason) for reason in result.reasons),
    )


def _report_reason(codes: type[ReasonCodes], reason: Reason) -> ReasonReport:
    message, remedy = format_sentences(codes, reason)
    settled_by = find_template(codes, reason).settled_by
    return ReasonReport(reason.code, message, remedy, reason.subject, reason.details, settled_by or "")


def _report_contributors(review: CodeReview) -> tuple[ContributorReport, ...]:
    known = [
        ContributorReport(
            who.removeprefix("person:") if who.startswith("person:") else "",
            "" if who.startswith("person:") else who,
            tuple(ContributionReport(part.role.value, part.commit) for part in parts),
        )
        for who, parts in review.contributors.items()
    ]
    strangers: dict[str, list[ContributionReport]] = {}
    for stranger in review.unknown_contributors:
        strangers.setdefault(stranger.subject, []).append(ContributionReport(stranger.role.value, stranger.commit))
    return (*known, *(ContributorReport("", subject, tuple(because)) for subject, because in strangers.items()))


def _report_approvals(review: CodeReview) -> tuple[ApprovalReport, ...]:
    return tuple(
        ApprovalReport(
            person=statement.approval.ref_person,
            head=statement.approval.ref_head,
            action=statement.approval.action.value,
            counted=statement.counted,
            reasons_not_counted=statement.reasons_not_counted,
        )
        for statement in review.statements
    )
