"""A change is on its way only when enough people who had no hand in it said yes to exactly this state of it."""

from typing import Annotated

from msgspec import Meta, Struct

from muniment.controls import code_review
from muniment.controls.code_review import CodeReview, Stranger
from muniment.controls.control import (
    Case,
    Codes,
    Control,
    Reason,
    Scope,
    not_applicable,
    satisfied,
    unknown,
    violated,
)
from muniment.facts import kinds
from muniment.policy.parameters import Stricter, Unit

_NAMED = 5  # how many people a refusal names who could still approve


class Parameters(Struct, frozen=True, forbid_unknown_fields=True):
    """How many others have to approve."""

    reviewers: Annotated[int, Meta(ge=1, le=100), Unit("people"), Stricter.HIGHER] = 2


class Reasons(Codes):
    """What this control answers."""

    REVIEWED = satisfied("{count} of {needed} others approved: {who}.")
    NOTHING_TO_REVIEW = not_applicable("There is no commit that the branch does not have.")
    TOO_FEW_APPROVALS = violated(
        "{count} of {needed} others approved{who}.",
        "Ask {ask} to read it and run: muniment approve {head} --onto {branch}",
    )
    TOO_FEW_OTHERS = violated(
        "{count} of {needed} others approved{who}, and only {left} more people could.",
        "Add people (page People, or people.toml) who may write to this repository and had no hand in this change.",
    )
    CHANGES_REQUESTED = violated(
        "{name} asks for changes.",
        "Talk to them; they can approve, or run: muniment approve {head} --onto {branch} --withdraw",
    )
    UNKNOWN_CONTRIBUTOR = unknown(
        "{name}, {because} of {commit}, belongs to nobody who is known.",
        "Say whose it is (page People, or people.toml), or have somebody with the security role run: "
        "muniment approve {head} --onto {branch} --attest {subject}=PERSON",
    )
    UNLEARNT_CONTRIBUTOR = unknown(
        "The {because} of {commit} could not be learnt: {why}.",
        "Have somebody with the security role run: muniment approve {head} --onto {branch} --attest {subject}=PERSON",
    )


def judge(case: Case) -> tuple[Reason, ...]:
    """The approvals that count, against `reviewers`; who blocks; whom nobody knows."""
    if not case.get(kinds.COMMITS):
        return (Reasons.NOTHING_TO_REVIEW(f"commit:{case.get(kinds.REVISION).head}"),)
    if unlearnt := case.unlearnt(code_review.NEEDS):
        return unlearnt
    review = case.derived(code_review.read)
    place = code_review.place(case)
    return (
        _approvals(review, case.parameters.reviewers, place),
        *(Reasons.CHANGES_REQUESTED(f"person:{person}", **place) for person in review.blocked_by),
        *(_stranger(stranger, place) for stranger in review.strangers),
    )


def _approvals(review: CodeReview, needed: int, place: dict[str, str]) -> Reason:
    subject, count = f"commit:{place['head']}", len(review.counted)
    who = ", ".join(review.counted)
    if count >= needed:
        return Reasons.REVIEWED(subject, count=count, needed=needed, who=who)
    said = f" ({who})" if who else ""
    left = len(review.could_approve)
    if count + left < needed:
        return Reasons.TOO_FEW_OTHERS(subject, count=count, needed=needed, who=said, left=left)
    ask = code_review.some(review.could_approve, _NAMED)
    return Reasons.TOO_FEW_APPROVALS(subject, count=count, needed=needed, who=said, ask=ask, **place)


def _stranger(stranger: Stranger, place: dict[str, str]) -> Reason:
    details = {**place, "commit": stranger.commit, "because": stranger.because.value}
    if stranger.why:
        return Reasons.UNLEARNT_CONTRIBUTOR(stranger.subject, why=stranger.why, **details)
    return Reasons.UNKNOWN_CONTRIBUTOR(stranger.subject, **details)


CONTROL = Control(
    name="reviewed-by-others",
    version=1,
    summary="Every change is approved by enough people who had no hand in it.",
    scope=Scope.REVISION,
    needs=(kinds.REVISION, kinds.COMMITS),
    consults=code_review.NEEDS,
    parameters=Parameters,
    codes=Reasons,
    judge=judge,
)
