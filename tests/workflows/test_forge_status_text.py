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
from muniment.forges.statuses import StatusState, shorten_summary
from muniment.policy.model import EnforcementPoint
from muniment.workflows.forge_status_text import (
    decision_status,
    escape_markdown,
    find_blocking_results,
    format_comment,
    remedy_at_forge,
    sort_blocking_reasons,
)
from tests.support.changes import BASE, HEAD, MAIN, NOW

FIELDS: dict[str, str | int] = {"ask": "bob or sue", "name": "sue"}
FORM = " The page behind Details has the form."


@pytest.mark.parametrize(
    ("answer", "message"),
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
            "Ask bob or sue to review and approve it, with answers to the review questions." + FORM,
        ),
        (
            security_attention.Reasons.GUIDE_UNANSWERED,
            "Ask sue to approve it again, with answers to the review questions." + FORM,
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
    answer: independent_review.Reasons | security_attention.Reasons | small_changes.Reasons, message: str
) -> None:
    found: ReasonTemplate = answer.value
    details = FIELDS | ({"questions": "why"} if found.settled_by == "approve" and FORM in message else {})
    remedy = found.remedy.format(**{"questions": "why", **details})
    reason = ReasonReport(answer.code, "", remedy, "", details, found.settled_by or "")
    assert remedy_at_forge(reason) == message


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


def result(status: str, *reasons: ReasonReport, enforced: bool = True, exception: str = "") -> ResultReport:
    """Result of one more clause."""
    first = DENIED.results[0]
    return structs.replace(first, status=status, reasons=reasons, enforced=enforced, exception=exception)


def make_allowed_report(*results: ResultReport) -> DecisionReport:
    return structs.replace(DENIED, decision=Outcome.ALLOW, results=results)


def test_only_an_allowed_change_gets_an_allowing_status() -> None:
    allowed = decision_status(make_allowed_report(result("met", FEW)), "muniment/main", "")
    denied = decision_status(make_denial_report(FEW), "muniment/main", "")
    assert (allowed.saying, denied.saying) == (StatusState.ALLOWED, StatusState.DENIED)
    assert (allowed.summary, allowed.details, allowed.annotations) == ("All 1 clauses allow it.", "", ())
    assert denied.summary == f"{FEW.message}\n{FEW.remedy}"
    assert denied.details == f"- {FEW.message}\n  Next: {FEW.remedy}"


def test_allowed_status_counts_clauses_covered_by_an_exception() -> None:
    covered = result("violated", FEW, exception="hot")
    status = decision_status(make_allowed_report(result("met"), covered, covered), "muniment/main", "")
    assert status.summary == "All 3 clauses allow it.\n2 of them by an exception."


def test_allowed_status_has_no_annotation_of_a_covered_clause() -> None:
    place = structs.replace(FEW, subject="path:app.py")
    monitored = result("violated", place, enforced=False)
    assert decision_status(make_allowed_report(monitored), "muniment/main", "").annotations == ()
    still = structs.replace(make_denial_report(place), decision=Outcome.ALLOW)
    assert (decision_status(still, "", "").details, decision_status(still, "", "").annotations) == ("", ())


@pytest.mark.parametrize(
    ("one", "blocks"),
    [
        (result("violated"), True),
        (result("unknown"), True),
        (result("met"), False),
        (result("not_applicable"), False),
        (result("violated", enforced=False), False),
        (result("violated", exception="hot"), False),
    ],
)
def test_only_an_enforced_clause_that_is_not_met_or_covered_blocks(one: ResultReport, blocks: bool) -> None:
    report = structs.replace(DENIED, results=(one,))
    assert find_blocking_results(report) == ((one,) if blocks else ())


def test_denial_without_a_reason_is_a_denial() -> None:
    assert decision_status(structs.replace(DENIED, results=()), "", "").summary == "It is not allowed."


def test_reason_without_next_step_is_shown_only_if_it_is_alone() -> None:
    silent = structs.replace(FEW, message="It is so.", remedy="")
    assert sort_blocking_reasons(make_denial_report(silent)) == [silent]
    assert sort_blocking_reasons(make_denial_report(silent, FEW)) == [FEW]
    assert sort_blocking_reasons(make_denial_report(FEW, general=(silent,))) == [FEW]
    assert decision_status(make_denial_report(silent), "", "").details == "- It is so."


@pytest.mark.parametrize(("count", "last"), [(30, "- 29\n  Next: Do it."), (31, "- and 1 more")])
def test_long_list_of_reasons_ends_with_their_number(count: int, last: str) -> None:
    reasons = [ReasonReport("code", str(number), "Do it.", "") for number in range(count)]
    assert decision_status(make_denial_report(*reasons), "", "").details.endswith(last)


def test_annotations_are_of_paths_alone() -> None:
    at_path = structs.replace(FEW, subject="path:a%25b.py")
    at_commit = structs.replace(FEW, subject=f"commit:{HEAD.id}")
    (found,) = decision_status(make_denial_report(at_path, at_commit), "", "").annotations
    assert (found.path, found.message) == ("a%b.py", FEW.message)


def test_comment_names_who_could_approve_a_denied_change() -> None:
    report = structs.replace(make_denial_report(FEW), eligible_reviewers=("p1", "p2"), names={"p1": "bob_b"})
    comment = format_comment(report, "https://muniment.test/1")
    assert comment.startswith("**Muniment does not allow this yet.** [Details](https://muniment.test/1)\n")
    assert comment.endswith("\n\nWho could approve: bob\\_b, p2.")
    assert "Who could" not in format_comment(make_denial_report(FEW), "")
    assert format_comment(make_allowed_report(), "") == ""


@pytest.mark.parametrize(("count", "end"), [(5, ", p4."), (6, ", p4 and 1 others.")])
def test_comment_names_five_people_at_most(count: int, end: str) -> None:
    people = tuple(f"p{number}" for number in range(count))
    assert format_comment(structs.replace(make_denial_report(FEW), eligible_reviewers=people), "").endswith(end)


@pytest.mark.parametrize(("length", "message"), [(140, "x" * 140), (141, "x" * 139 + "…")])
def test_line_is_cut_only_if_it_is_too_long(length: int, message: str) -> None:
    report = make_denial_report(structs.replace(FEW, message="x" * length))
    assert decision_status(report, "", "").summary.split("\n")[0] == message


def test_character_that_cannot_be_seen_is_no_part_of_a_text() -> None:
    assert escape_markdown("a\u202eb\nc") == "a b c"
