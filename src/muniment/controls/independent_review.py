"""Control: enough people who did not contribute to a change approved exactly this revision."""

import re
from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta, Struct

from muniment.controls import code_review
from muniment.controls.code_review import CodeReview, UnknownContributor
from muniment.controls.control import (
    Case,
    Control,
    Reason,
    ReasonCodes,
    ResultStatus,
    Scope,
    met,
    not_applicable,
    unknown,
    violated,
)
from muniment.controls.statement_order import removes_commits
from muniment.facts import kinds
from muniment.facts.statements import ReviewAction, SignatureResult
from muniment.policy.parameters import Stricter, Unit

_NAMED = 5  # how many people a refusal names who could still approve
_MACHINES = (  # addresses that only programs of forges write, each with an id to declare it by
    (re.compile(r"noreply@github\.com"), "github"),
    (re.compile(r"(?:\d{1,20}\+)?dependabot\[bot\]@users\.noreply\.github\.com"), "dependabot"),
    (re.compile(r"(?:\d{1,20}\+)?github-actions\[bot\]@users\.noreply\.github\.com"), "github-actions"),
    (re.compile(r"(?:\d{1,20}\+)?renovate\[bot\]@users\.noreply\.github\.com"), "renovate"),
)


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """Number of other people who must approve."""

    reviewers: Annotated[int, Meta(ge=1, le=100), Unit("people"), Stricter.HIGHER] = 2


class Reasons(ReasonCodes):
    """Reasons of this control."""

    REVIEWED = met("{count} of {needed} required approvals: {who}.")
    NOTHING_TO_REVIEW = not_applicable("There is no commit that the branch does not have.")
    TOO_FEW_APPROVALS = violated(
        "{count} of {needed} required approvals{who}.",
        "Ask {ask} to review and approve it.",
        ReviewAction.APPROVE,
    )
    TOO_FEW_APPROVALS_TO_REMOVE = violated(
        "Deleting or moving {branch} back needs approvals of its own: {count} of {needed} required{who}.",
        "Ask {ask} to review what {branch} would lose and to approve it.",
        ReviewAction.APPROVE,
    )
    TOO_FEW_ELIGIBLE_REVIEWERS = violated(
        "{count} of {needed} required approvals{who}. Other eligible reviewers: {left}.",
        "Add people (page People, or people.toml) who may write to this repository and did not contribute to it.",
    )
    CHANGES_REQUESTED = violated(
        "{name} requested changes.",
        "Ask {name} to approve it, or to withdraw the request for changes.",
        ReviewAction.WITHDRAW,
    )
    UNKNOWN_CONTRIBUTOR = unknown(
        "{name}, {role} of {commit}, is not linked to a person.",
        "If the commit is yours, correct it. Otherwise link {name} to a person (page People, or people.toml), "
        "or ask somebody with the security role to attest who it was.",
        ReviewAction.ATTEST,
    )
    UNCONFIRMED_CONTRIBUTOR = unknown(
        "{name}, {role} of {commit}: link waits for a second person: {person}.",
        "Have a second person approve the link (page People), or have {person} confirm it with their second factor.",
        ReviewAction.ATTEST,
    )
    UNCONFIRMED_REVIEWER = unknown(
        "An approval does not count: link waits for a second person: {person}.",
        "Have a second person approve the link (page People), or have {person} confirm it with their second factor.",
    )
    UNKNOWN_MACHINE = unknown(
        "{name}, {role} of {commit}, belongs to a machine that is not declared.",
        'Declare it once: on the page People, or in people.toml as a [[machine]]: id = "{id}", emails = ["{name}"].',
    )
    UNDETERMINED_CONTRIBUTOR = unknown(
        "The {role} of {commit} is unknown: {why}.",
        "Ask somebody with the security role to attest who it was.",
        ReviewAction.ATTEST,
    )


def evaluate_case(case: Case) -> tuple[Reason, ...]:
    """Evaluate counted approvals against `reviewers`, requested changes, and unknown contributors."""
    if not case.get_fact(kinds.COMMITS) and not removes_commits(case.get_fact(kinds.REVISION)):
        return (Reasons.NOTHING_TO_REVIEW(f"commit:{case.get_fact(kinds.REVISION).head}"),)
    if unlearnt := case.explain_unknown(code_review.NEEDS):
        return unlearnt
    review = case.compute_once(code_review.read_code_review)
    approvals = _evaluate_approvals(review, case.parameters.reviewers)
    waiting = () if approvals.status is ResultStatus.MET else _find_unconfirmed_reviewers(review)
    place = code_review.describe_revision(review.revision)
    return (
        approvals,
        *waiting,
        *(
            Reasons.CHANGES_REQUESTED(f"person:{person}", name=review.people.labels.get(person, person), **place)
            for person in review.blocking_reviewers
        ),
        *(_explain_contributor(stranger, place, review) for stranger in review.unknown_contributors),
    )


def _find_unconfirmed_reviewers(review: CodeReview) -> Iterator[Reason]:
    """Reason for each approval by an account or key whose link to the person waits for a second person."""
    approvers = {
        one.approval.ref_person
        for one in review.statements
        if one.reasons_not_counted == (SignatureResult.UNCONFIRMED.value,)
    }
    for person in sorted(approvers):
        yield Reasons.UNCONFIRMED_REVIEWER(f"person:{person}", person=review.people.labels.get(person, person))


def _evaluate_approvals(review: CodeReview, needed: int) -> Reason:
    subject, count = f"commit:{review.revision.head}", len(review.counted)
    labels = review.people.labels
    who = ", ".join(labels[person] for person in review.counted)
    if count >= needed:
        return Reasons.REVIEWED(subject, count=count, needed=needed, who=who)
    names = f" ({who})" if who else ""
    left = len(review.eligible_reviewers)
    if count + left < needed and review.revision.asked_about_all:
        return Reasons.TOO_FEW_ELIGIBLE_REVIEWERS(subject, count=count, needed=needed, who=names, left=left)
    ask = code_review.join_names([labels[person] for person in review.eligible_reviewers], _NAMED)
    if not review.revision.asked_about_all:  # others may approve too, whom the forge was not asked about
        ask = f"{ask} or " * bool(ask) + "somebody else who may write to the repository"
    codes = Reasons.TOO_FEW_APPROVALS_TO_REMOVE if removes_commits(review.revision) else Reasons.TOO_FEW_APPROVALS
    return codes(
        subject, count=count, needed=needed, who=names, ask=ask, **code_review.describe_revision(review.revision)
    )


def _explain_contributor(contributor: UnknownContributor, place: dict[str, str], review: CodeReview) -> Reason:
    details = {**place, "commit": contributor.commit, "role": contributor.role.value}
    if contributor.unconfirmed:
        person = review.people.labels[contributor.unconfirmed]
        return Reasons.UNCONFIRMED_CONTRIBUTOR(contributor.subject, person=person, **details)
    if contributor.why:
        return Reasons.UNDETERMINED_CONTRIBUTOR(contributor.subject, why=contributor.why, **details)
    address = contributor.subject.partition(":")[2]
    machine = next((id for pattern, id in _MACHINES if pattern.fullmatch(address)), "")
    if machine:
        return Reasons.UNKNOWN_MACHINE(contributor.subject, id=machine, **details)
    return Reasons.UNKNOWN_CONTRIBUTOR(contributor.subject, **details)


CONTROL = Control(
    name="independent-review",
    version=4,
    summary="Every change is approved by enough people who did not contribute to it.",
    scope=Scope.REVISION,
    needs=(kinds.REVISION, kinds.COMMITS),
    consults=code_review.NEEDS,
    parameters=Parameters,
    codes=Reasons,
    evaluate=evaluate_case,
)
