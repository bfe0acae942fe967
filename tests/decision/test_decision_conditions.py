"""Decisions that depend on one condition: exceptions, freezes, previews, expiry and reports."""

from typing import Any

import pytest
from msgspec import structs

from muniment.controls.control import Reason, ReasonCodes, ResultStatus, met, unknown
from muniment.decision.binding import BoundPolicy
from muniment.decision.bound_policies import read_bound_policy
from muniment.decision.decision import (
    Decision,
    Outcome,
    Reasons,
    Result,
    find_template,
    format_sentences,
    placeholder_values,
)
from muniment.decision.evaluation import evaluate_policy, list_needed_facts, select_clauses
from muniment.decision.exceptions import find_exception_problems
from muniment.decision.expiry import find_expiry
from muniment.decision.freezes import (
    find_next_boundary,
    format_freeze_scope,
    format_frozen_actions,
    is_freeze_in_force,
    select_freezes,
)
from muniment.decision.report import build_decision_report
from muniment.facts import kinds, moments
from muniment.facts.change import ApprovedHead, CommitPusher, ContributorRole, Pushes
from muniment.facts.facts import Fact, Facts
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import People
from muniment.facts.statements import ExceptionSignature, Freeze, LandedHeads, PolicyException, SignatureResult
from muniment.facts.update_facts import ChangeReleases, NewRelease
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.policy.model import EnforcementPoint
from tests.support.changes import (
    EARLIER,
    HEAD,
    MAIN,
    NOW,
    PEOPLE,
    REVISION,
    approval,
    commit,
    facts,
    file,
    hand,
    oid,
    person,
    values,
)

HEADER = format_built_in_policy("sec@example.test", "shop").split("[[clause]]", maxsplit=1)[0]
TWO = """[[clause]]
id = "two"
name = "Two"
section = "secure-design"
text = "t"
control = "independent-review"
enforce = ["merge"]
"""
ALONE = Known((approval("bob"),))
PUSHED = Known(Pushes(False, (CommitPusher(HEAD.id, Known("person:ada")),), (), ()))
LEAVE = PolicyException(
    id="hot",
    clause="two",
    repository="shop",
    branch=MAIN,
    head="",
    owner="ada",
    reason="the shop is down",
    granted="2026-11-01T00:00:00.000000Z",
    expires="2026-12-01T00:00:00.000000Z",
    signatures=(ExceptionSignature("ada", SignatureResult.VALID), ExceptionSignature("sue", SignatureResult.VALID)),
)
FREEZE = Freeze("f1", "sue", "the registry leaks", "2026-11-24T08:00:00.000000Z", drill=False)
LATER = moments.add_time(NOW, days=1)


def policy(*clauses: str, more: str = "") -> BoundPolicy:
    return read_bound_policy(HEADER + more + "".join(clauses), "policy.toml")


def evaluate_facts(
    rules: BoundPolicy, point: EnforcementPoint = EnforcementPoint.MERGE, **changed: Maybe[Any]
) -> Decision:
    return evaluate_policy(rules, facts(values(**changed)), point, NOW)


class TestExceptions:
    @pytest.mark.parametrize(
        "changed",
        [
            {"repository": "other"},
            {"branch": "refs/heads/release/1"},
            {"head": oid(9)},
            {"expires": NOW},
            {"signatures": LEAVE.signatures[:1]},
        ],
        ids=str,
    )
    def test_exception_of_other_scope_or_expired_covers_nothing(self, changed: dict[str, Any]) -> None:
        leave = Known((structs.replace(LEAVE, **changed),))
        decision = evaluate_facts(policy(TWO), approvals=ALONE, exceptions=leave)
        assert (decision.outcome, decision.results[0].exception) == (Outcome.DENY, "")

    @pytest.mark.parametrize(
        ("name", "changed", "why"),
        [
            ("ada", {"active": False}, ("not-signed-by-owner",)),
            ("sue", {"active": False}, ("not-approved-by-another",)),
            ("sue", {"roles": ("developer",)}, ("not-approved-by-another",)),
        ],
    )
    def test_exception_needs_active_approver_with_security_role(
        self, name: str, changed: dict[str, Any], why: tuple[str, ...]
    ) -> None:
        persons = tuple(structs.replace(one, **changed) if one.id == name else one for one in PEOPLE.persons)
        assert find_exception_problems(LEAVE, People(persons, ()), NOW) == why

    def test_exception_is_valid_from_grant_for_at_most_ninety_days(self) -> None:
        longest = structs.replace(LEAVE, granted=NOW, expires=moments.add_time(NOW, days=90))
        assert find_exception_problems(longest, PEOPLE, NOW) == ()

    def test_met_clause_uses_no_exception(self) -> None:
        assert evaluate_facts(policy(TWO), exceptions=Known((LEAVE,))).results[0].exception == ""

    def test_violated_result_with_exception_counts_as_fine(self) -> None:
        covered = Result("two", "independent-review", 1, ResultStatus.VIOLATED, (), enforced=False, exception="hot")
        assert (covered.is_acceptable, structs.replace(covered, exception="").is_acceptable) == (True, False)


class TestFreezes:
    @pytest.mark.parametrize(("until", "concerns"), [("", True), (LATER, True), (NOW, False)])
    def test_ended_freeze_has_no_effect(self, until: str, concerns: bool) -> None:
        freeze = structs.replace(FREEZE, until=until)
        assert bool(select_freezes((freeze,), NOW, "shop")) is concerns
        assert is_freeze_in_force(freeze, NOW) is concerns

    def test_next_freeze_boundary_is_in_future(self) -> None:
        assert find_next_boundary((structs.replace(FREEZE, since=NOW, until=LATER),), NOW) == LATER
        assert find_next_boundary((structs.replace(FREEZE, since=NOW),), NOW) == ""

    @pytest.mark.parametrize(
        ("product", "environment", "scope", "stopped"),
        [
            ("", "", "", "merges and deployments"),
            ("shop", "", " of shop", "merges and deployments of shop"),
            ("shop", "production", " to production of shop", "deployments to production of shop"),
        ],
    )
    def test_freeze_reason_names_scope(self, product: str, environment: str, scope: str, stopped: str) -> None:
        freeze = structs.replace(FREEZE, product=product, environment=environment)
        assert (format_freeze_scope(freeze), format_frozen_actions(freeze)) == (scope, stopped)

    @pytest.mark.parametrize(
        ("drill", "until", "text"),
        [
            (False, "", "there is a freeze of merges, by"),
            (True, LATER, "until 2026-11-25T09:00 there is a freeze drill for merges, by"),
        ],
    )
    def test_announced_freeze_is_described(self, drill: bool, until: str, text: str) -> None:
        freeze = structs.replace(FREEZE, since=moments.add_time(NOW, minutes=1), until=until, drill=drill)
        (reason,) = evaluate_facts(policy(TWO), freezes=Known((freeze,))).reasons
        message = format_sentences(Reasons, reason)[0]
        assert text in message
        assert ("until" in message) is bool(until)

    def test_freeze_denies_if_people_are_unknown(self) -> None:
        decision = evaluate_facts(policy(TWO), freezes=Known((FREEZE,)), people=Unknown("gone"))
        message, remedy = format_sentences(Reasons, decision.reasons[0])
        assert "by sue: " in message
        assert "Nobody can lift it yet" not in remedy
        assert "lift it: " in remedy
        assert "until" not in message

    def test_denial_has_no_expiry_from_used_exception(self) -> None:
        covered = evaluate_facts(policy(TWO), approvals=ALONE, exceptions=Known((LEAVE,)), freezes=Known((FREEZE,)))
        assert (covered.outcome, covered.results[0].exception) == (Outcome.DENY, "hot")
        assert find_expiry(covered, policy(TWO), (LEAVE,), (FREEZE,)) == ""


class TestPreviews:
    NOTHING = LandedHeads(True, (), (), -1)

    def test_decision_on_recorded_facts_is_no_preview(self) -> None:
        assert not evaluate_facts(policy(TWO), pushes=PUSHED).preview

    def test_approvals_with_unknown_use_make_preview(self) -> None:
        assert evaluate_facts(policy(TWO), pushes=PUSHED, landed_heads=Known(self.NOTHING)).preview
        assert not evaluate_facts(policy(TWO), pushes=PUSHED, landed_heads=Unknown("gone")).preview

    def test_deployment_with_clause_reading_pushers_is_preview(self) -> None:
        reads = TWO.replace('"merge"', '"deploy"')
        other = reads.replace('"two"', '"history"').replace("independent-review", "protected-history")
        assert evaluate_facts(policy(reads, other), EnforcementPoint.DEPLOY).preview
        assert not evaluate_facts(policy(other), EnforcementPoint.DEPLOY).preview


class TestClauses:
    def test_a_clause_for_a_branch_applies_where_the_branch_is_unknown(self) -> None:
        words = '[unenforced]\nmerge = "this is a sandbox"\n'
        rules = policy(TWO + 'branches = ["release/*"]\n', more=words)
        decision = evaluate_facts(rules, revision=Unknown("gone"))
        assert (decision.outcome, [one.clause for one in decision.results]) == (Outcome.DENY, ["two"])

    def test_clause_with_paths_applies_if_one_file_matches(self) -> None:
        many = Known((file("src/a.py"), file("docs/a.md"), structs.replace(file("b"), old_path="docs/b")))
        for at in (slice(0, 2), slice(2, 3)):
            decision = evaluate_facts(
                policy(TWO + 'paths = ["docs/**"]\n'), approvals=ALONE, files=Known(many.value[at])
            )
            assert decision.outcome is Outcome.DENY

    def test_facts_of_control_are_needed_and_its_version_recorded(self) -> None:
        rules = policy(TWO)
        assert {"approvals", "landed_heads"} <= list_needed_facts(select_clauses(rules, EnforcementPoint.MERGE, MAIN))
        control = rules.clauses[0].control
        assert control is not None
        assert evaluate_facts(rules).results[0].control_version == control.version > 0


class TestEndings:
    def test_clause_without_monitoring_end_never_expires(self) -> None:
        rules = policy(TWO.replace('"merge"', ""))
        reported = evaluate_facts(rules, EnforcementPoint.STATE, approvals=ALONE)
        assert reported.outcome is Outcome.ALLOW
        assert find_expiry(reported, rules, ()) == ""

    def test_fact_of_unknown_kind_never_expires(self) -> None:
        strange = Facts({"strange": Fact(Known(()), "test", EARLIER, "00")})
        assert find_expiry(evaluate_facts(policy(TWO)), policy(TWO), (), (), strange) == ""

    def test_fact_is_expired_at_its_end_time(self) -> None:
        old = Fact(Known(()), "test", moments.add_time(NOW, minutes=-60), "00")
        named = Facts({kinds.DEADLINES.name: old})
        assert find_expiry(evaluate_facts(policy(TWO)), policy(TWO), (), (), named) == ""
        assert isinstance(named.get_at(kinds.DEADLINES, NOW), Unknown)

    def test_denial_ends_when_a_release_is_old_enough(self) -> None:
        waits = policy(TWO.replace("independent-review", "cool-down"))
        young = Known(ChangeReleases(1, (NewRelease("uv.lock", "django", "5.2.9", NOW),)))
        denied = evaluate_facts(waits, change_releases=young)
        assert denied.outcome is Outcome.DENY
        assert find_expiry(denied, waits, ()) == moments.add_time(NOW, days=7)
        unknown = evaluate_facts(waits, change_releases=Unknown("the registry is down"))
        assert find_expiry(unknown, waits, ()) == ""


class OverlappingReasons(ReasonCodes):
    """Codes of a control that share names with common codes."""

    FACT_UNKNOWN = unknown("ours: {name}", "do it")
    NO_CONTROL = met("it is fine")


class TestSentences:
    def test_control_code_overrides_common_code_except_for_missing_fact(self) -> None:
        ours, whole = (
            Reason("fact-unknown", ResultStatus.UNKNOWN, f"{kind}:x", {"why": "w"}) for kind in ("path", "fact")
        )
        assert format_sentences(OverlappingReasons, ours) == ("ours: x", "do it")
        assert "Required information is missing" in format_sentences(OverlappingReasons, whole)[0]

    def test_same_code_with_other_status_has_common_sentence(self) -> None:
        assert find_template(OverlappingReasons, Reasons.NO_CONTROL("clause:x")) is Reasons.NO_CONTROL.value

    def test_fact_names_are_shown_with_spaces(self) -> None:
        assert placeholder_values("fact:test_runs", {})["name"] == "test runs"
        assert placeholder_values("path:test_runs", {})["name"] == "test_runs"


class TestDecisionReports:
    def build_report(self, rules: BoundPolicy, **changed: Maybe[Any]) -> Any:
        given = facts(values(**changed))
        return build_decision_report(evaluate_policy(rules, given, EnforcementPoint.MERGE, NOW), rules, given)

    def test_report_names_contributors_approvers_and_possible_reviewers(self) -> None:
        own = commit(1, hands=(hand("ada"), hand("bot"), hand("nobody")))
        result = self.build_report(policy(TWO), commits=Known((own,)), approvals=ALONE)
        assert [(one.person, one.identity) for one in result.contributors] == [
            ("", "machine:update-bot"),
            ("ada", ""),
            ("", "account:nobody@example.test"),
        ]
        assert [(one.person, one.counted) for one in result.approvals] == [("bob", True)]
        assert result.eligible_reviewers == ("carol", "sue")
        assert (result.missing_facts, result.names, result.merger) == ((), {}, "")
        assert result.revision.update == "fast-forward"

    def test_report_names_merger(self) -> None:
        approved = commit(2, tree=50)
        made = commit(1, tree=60, hands=(hand("ada"), hand("bob", ContributorRole.COMMITTER)))
        stored = ApprovedHead(approved.id, (approved,), made.tree, ())
        result = self.build_report(policy(TWO), commits=Known((made,)), approved_heads=Known((stored,)))
        assert result.merger == "person:bob"

    @pytest.mark.parametrize(("preview", "known"), [(True, False), (False, True)])
    def test_report_says_whether_used_approvals_are_known(self, preview: bool, known: bool) -> None:
        landed = Known(LandedHeads(preview, (), (), -1))
        assert self.build_report(policy(TWO), landed_heads=landed).spent_approvals_known is known
        assert self.build_report(policy(TWO), landed_heads=Unknown("gone")).spent_approvals_known

    def test_report_names_action_that_resolves_reason(self) -> None:
        ((reason,),) = [result.reasons for result in self.build_report(policy(TWO), approvals=ALONE).results]
        assert reason.settled_by == "approve"
        ((reason,),) = [result.reasons for result in self.build_report(policy(TWO)).results]
        assert reason.settled_by == ""

    def test_report_lists_clause_without_control(self) -> None:
        uncovered = TWO.replace('control = "independent-review"\n', "")
        ((reason,),) = [result.reasons for result in self.build_report(policy(uncovered)).results]
        assert reason.code == "no-control"

    def test_report_lists_only_names_that_differ_from_ids(self) -> None:
        named = People((*PEOPLE.persons, person("x7", handle="dan")), PEOPLE.machines)
        assert self.build_report(policy(TWO), people=Known(named)).names == {"x7": "X7"}


def test_decision_names_evaluated_head() -> None:
    assert evaluate_facts(policy(TWO)).head == REVISION.head
