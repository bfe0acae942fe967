"""Status texts at a forge are written for its users."""

import pytest
from msgspec import structs

from muniment.controls import independent_review, security_attention, small_changes
from muniment.controls.control import ReasonTemplate
from muniment.decision.decision import Outcome
from muniment.decision.report import (
    DecisionReport,
    PolicyReference,
    ReasonReport,
    ResultReport,
    RevisionReport,
)
from muniment.forges.statuses import shorten_summary
from muniment.policy.model import EnforcementPoint
from muniment.workflows.forge_status_text import decision_status, remedy_at_forge
from tests.support.changes import BASE, HEAD, MAIN, NOW

FIELDS: dict[str, str | int] = {"ask": "bob or sue", "name": "sue"}
FORM = " The page behind Details has the form."


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (independent_review.Reasons.TOO_FEW_APPROVALS, "Ask bob or sue to review and approve it."),
        (
            independent_review.Reasons.CHANGES_REQUESTED,
            "Ask sue to approve it, or to withdraw the request for changes.",
        ),
        (
            independent_review.Reasons.UNDETERMINED_CONTRIBUTOR,
            "Ask somebody with the security role to attest who it was." + FORM,
        ),
        (
            security_attention.Reasons.NO_SECURITY_APPROVAL,
            "Ask bob or sue to review and approve it, with answers to the review questions: why." + FORM,
        ),
        (
            security_attention.Reasons.GUIDE_UNANSWERED,
            "Ask sue to approve it again, with answers to the review questions: why." + FORM,
        ),
        (
            small_changes.Reasons.TOO_LARGE,
            "Split the change, or ask bob or sue to approve it with a reason for its size." + FORM,
        ),
        (
            independent_review.Reasons.TOO_FEW_ELIGIBLE_REVIEWERS,
            "Add people (page People, or people.toml) who may write to this repository and did not contribute to it.",
        ),
    ],
)
def test_remedy_at_forge_names_forge_action_and_no_command(
    answer: independent_review.Reasons | security_attention.Reasons | small_changes.Reasons, said: str
) -> None:
    found: ReasonTemplate = answer.value
    details = FIELDS | ({"questions": "why"} if found.settled_by == "approve" and FORM in said else {})
    remedy = found.remedy.format(**{"questions": "why", **details})
    reason = ReasonReport(answer.code, "", remedy, "", details, found.settled_by or "")
    assert remedy_at_forge(reason) == said


DENIED = DecisionReport(
    decision=Outcome.DENY,
    point=EnforcementPoint.MERGE,
    preview=False,
    time=NOW,
    policy=PolicyReference("sha256:0"),
    facts="sha256:0",
    revision=RevisionReport("shop", MAIN, BASE, HEAD.id, "fast-forward"),
    results=(ResultReport("review", "Two others approve.", "independent-review", 1, "violated", True, "", ()),),
    reasons=(),
    contributors=(),
    merger="",
    approvals=(),
    eligible_reviewers=(),
    missing_facts=(),
)


def make_denial_report(*reasons: ReasonReport, general: tuple[ReasonReport, ...] = ()) -> DecisionReport:
    """A denial by one clause for the given reasons."""
    return structs.replace(DENIED, reasons=general, results=(structs.replace(DENIED.results[0], reasons=reasons),))


FEW = ReasonReport(
    "too-few-approvals", "0 of 2 required approvals.", "Ask Bob or Carol to review and approve it.", "", {}, "approve"
)
ASKS = ReasonReport(
    "changes-requested", "Bea requested changes.", "Talk to Bea, who can approve it.", "", {}, "withdraw"
)
FROZEN = ReasonReport("frozen", "All merges are stopped.", "Wait until it is lifted.", "")


def test_requested_changes_are_shown_before_missing_approvals() -> None:
    status = decision_status(make_denial_report(FEW, ASKS), "muniment/main", "")
    assert status.summary == "Bea requested changes. (and 1 more)\nTalk to Bea, who can approve it."
    assert status.details.startswith("- Bea requested changes.")


def test_freeze_is_shown_first() -> None:
    status = decision_status(make_denial_report(FEW, ASKS, general=(FROZEN,)), "muniment/main", "")
    assert status.summary.startswith("All merges are stopped. (and 2 more)")


@pytest.mark.parametrize("most", [255, 60])
def test_one_line_status_shows_most_severe_reason(most: int) -> None:
    status = decision_status(
        make_denial_report(structs.replace(FEW, message="0 of 2 required approvals. " * 20), ASKS), "muniment/main", ""
    )
    line = shorten_summary(status.summary, most)
    assert line.startswith("Bea requested changes. (and 1 more) Next: Talk to Bea")
    assert len(line) <= most
    assert "\n" not in line
