"""Page of a change: the headline, the groups of its requirements, and contributors in words."""

from datetime import UTC, datetime

import pytest

from muniment.decision.decision import Outcome
from muniment.decision.report import (
    ContributionReport,
    ContributorReport,
    DecisionReport,
    PolicyReference,
    ReasonReport,
    ResultReport,
    RevisionReport,
)
from muniment.policy.model import EnforcementPoint
from muniment.server.changes import decision_page
from muniment.server.changes.decision_page import DecisionView, list_contributor_rows, make_headline, view_decision
from muniment.server.changes.models import Change, Decision

HEAD = "9f3c2a1" + "0" * 33


@pytest.fixture(autouse=True)
def _no_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision_page, "current_clauses", tuple)


def _result(clause: str, status: str, *reasons: ReasonReport, enforced: bool = True) -> ResultReport:
    return ResultReport(clause, f"Text of {clause}.", "independent-review", 1, status, enforced, "", reasons)


def _report(*results: ResultReport, contributors: tuple[ContributorReport, ...] = ()) -> DecisionReport:
    return DecisionReport(
        decision=Outcome.DENY,
        point=EnforcementPoint.MERGE,
        preview=False,
        time="2026-11-24T09:12:00Z",
        policy=PolicyReference("sha256:00"),
        facts="sha256:01",
        revision=RevisionReport("shop", "refs/heads/main", "", HEAD, "forward"),
        results=results,
        reasons=(),
        contributors=contributors,
        merger="",
        approvals=(),
        eligible_reviewers=tuple(f"p{number}" for number in range(7)),
        missing_facts=(),
        names={"p0": "Samuel Osei", "p1": "Hana Kim"},
    )


def _missing_approval(count: int, needed: int) -> ReasonReport:
    details: dict[str, str | int] = {"count": count, "needed": needed}
    return ReasonReport("too-few-approvals", "1 of 2 approvals.", "Ask Samuel Osei.", "commit:x", details, "approve")


def test_missing_requirement_says_how_many_of_how_many_and_who_can_approve() -> None:
    view = view_decision(_report(_result("review", "violated", _missing_approval(1, 2))), with_commands=True)
    (item,) = view.missing
    assert (item.name, item.progress, item.needs_approval, item.more_reviewers) == ("Text of review", "1 of 2", True, 2)
    assert item.reviewers[:2] == ("Samuel Osei", "Hana Kim")
    assert item.sentences[0].remedy == "", "the list of people says it"
    assert item.commands[0].startswith(f"muniment approve {HEAD}")
    assert not view_decision(_report(_result("review", "violated")), with_commands=False).missing[0].commands


def test_results_are_grouped_and_only_enforced_ones_are_counted() -> None:
    results = (
        _result("a", "violated"),
        _result("b", "unknown", enforced=False),
        _result("c", "met"),
        _result("d", "not_applicable"),
    )
    view = view_decision(_report(*results), with_commands=False)
    groups = [[one.clause for one in group] for group in (view.missing, view.monitored, view.others)]
    assert groups == [["a"], ["b"], ["c", "d"]]
    assert (view.missing_count, view.total) == (1, 2)


@pytest.mark.parametrize(
    ("state", "allowed", "headline"),
    [
        ("open", True, "Ready to merge"),
        ("open", False, "Blocked: 1 of 2 requirements missing"),
        ("merged", True, "Merged as the policy allows"),
        ("merged", False, "Merged with 1 of 2 requirements missing"),
        ("closed", False, "Closed with 1 of 2 requirements missing"),
    ],
)
def test_headline_is_the_decision(state: str, allowed: bool, headline: str) -> None:
    view = view_decision(_report(_result("a", "violated"), _result("c", "met")), with_commands=False)
    decision = Decision(allowed=allowed, decided_at=datetime(2026, 11, 24, tzinfo=UTC))
    assert make_headline(Change(state=state), decision, view).text == headline


@pytest.mark.parametrize(("state", "headline"), [("open", "Blocked"), ("closed", "Closed without a merge")])
def test_decision_without_its_report_is_no_less_a_denial(state: str, headline: str) -> None:
    found = make_headline(Change(state=state), Decision(allowed=False), DecisionView())
    assert (found.status, found.text) == ("denied", headline)
    assert make_headline(Change(state=state), None, DecisionView()).status == "unknown"


def test_contributors_are_people_with_their_roles_in_words() -> None:
    part = ContributionReport
    contributors = (
        ContributorReport("p0", "", (part("author", HEAD), part("committer", HEAD), part("opener", HEAD))),
        ContributorReport("", "machine:update-bot", (part("author", "a" * 40), part("author", "b" * 40))),
        ContributorReport("", f"commit:{HEAD}", (part("pusher", HEAD),)),
    )
    lines = list_contributor_rows(_report(contributors=contributors))
    assert lines[0] == ("Samuel Osei", "wrote, committed 9f3c2a1, opened the pull request", False, False)
    assert lines[1] == ("update-bot", "wrote 2 commits", True, False)
    assert lines[2] == ("Unknown contributor to 9f3c2a1", "pushed 9f3c2a1", False, True)
