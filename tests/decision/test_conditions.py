"""Decisions where one condition alone decides: exceptions, freezes, previews, ends, and what an account tells."""

from typing import Any

import pytest
from msgspec import structs

from muniment.controls.control import Codes, Reason, Status, met, unknown
from muniment.decision.account import account
from muniment.decision.binding import BoundPolicy
from muniment.decision.decision import Decision, Outcome, Reasons, Result, answer_of, fillings, sentences
from muniment.decision.ending import ending
from muniment.decision.exceptions import why_not
from muniment.decision.freezes import is_in_force, next_boundary, scope_text, select_freezes, stopped_text
from muniment.decision.judge import clauses_at, judge, needed
from muniment.decision.policies import read_bound_policy
from muniment.facts import kinds, moments
from muniment.facts.change import ApprovedHead, ContributorRole, Push, Pushes
from muniment.facts.facts import Fact, Facts
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import People
from muniment.facts.statements import Freeze, LandedHeads, PolicyException, Signature, Signed
from muniment.policy.model import Point
from muniment.policy.pack import pack_text
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

HEADER = pack_text("sec@example.test", "shop").split("[[clause]]", maxsplit=1)[0]
TWO = """[[clause]]
id = "two"
name = "Two"
section = "secure-design"
text = "t"
control = "independent-review"
enforce = ["merge"]
"""
ALONE = Known((approval("bob"),))
PUSHED = Known(Pushes(False, (Push(HEAD.id, Known("person:ada")),), (), ()))
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
    signatures=(Signed("ada", Signature.VALID), Signed("sue", Signature.VALID)),
)
FREEZE = Freeze("f1", "sue", "the registry leaks", "2026-11-24T08:00:00.000000Z", drill=False)
LATER = moments.later(NOW, days=1)


def policy(*clauses: str, more: str = "") -> BoundPolicy:
    return read_bound_policy(HEADER + more + "".join(clauses), "policy.toml")


def judged(rules: BoundPolicy, point: Point = Point.MERGE, **changed: Maybe[Any]) -> Decision:
    return judge(rules, facts(values(**changed)), point, NOW)


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
    def test_an_exception_of_another_scope_or_that_holds_no_more_covers_nothing(self, changed: dict[str, Any]) -> None:
        leave = Known((structs.replace(LEAVE, **changed),))
        decision = judged(policy(TWO), approvals=ALONE, exceptions=leave)
        assert (decision.outcome, decision.results[0].exception) == (Outcome.DENY, "")

    @pytest.mark.parametrize(
        ("name", "changed", "why"),
        [
            ("ada", {"active": False}, ("not-signed-by-owner",)),
            ("sue", {"active": False}, ("not-approved-by-another",)),
            ("sue", {"roles": ("developer",)}, ("not-approved-by-another",)),
        ],
    )
    def test_who_left_or_has_no_security_role_stands_behind_none(
        self, name: str, changed: dict[str, Any], why: tuple[str, ...]
    ) -> None:
        persons = tuple(structs.replace(one, **changed) if one.id == name else one for one in PEOPLE.persons)
        assert why_not(LEAVE, People(persons, ()), NOW) == why

    def test_an_exception_holds_from_its_first_moment_and_for_ninety_days(self) -> None:
        longest = structs.replace(LEAVE, granted=NOW, expires=moments.later(NOW, days=90))
        assert why_not(longest, PEOPLE, NOW) == ()

    def test_what_is_met_uses_no_exception(self) -> None:
        assert judged(policy(TWO), exceptions=Known((LEAVE,))).results[0].exception == ""

    def test_what_an_exception_covers_is_fine(self) -> None:
        covered = Result("two", "independent-review", 1, Status.VIOLATED, (), enforced=False, exception="hot")
        assert (covered.fine, structs.replace(covered, exception="").fine) == (True, False)


class TestFreezes:
    @pytest.mark.parametrize(("until", "concerns"), [("", True), (LATER, True), (NOW, False)])
    def test_a_freeze_that_is_over_concerns_nothing(self, until: str, concerns: bool) -> None:
        freeze = structs.replace(FREEZE, until=until)
        assert bool(select_freezes((freeze,), NOW, "shop")) is concerns
        assert is_in_force(freeze, NOW) is concerns

    def test_the_next_boundary_is_after_this_moment(self) -> None:
        assert next_boundary((structs.replace(FREEZE, since=NOW, until=LATER),), NOW) == LATER
        assert next_boundary((structs.replace(FREEZE, since=NOW),), NOW) == ""

    @pytest.mark.parametrize(
        ("product", "environment", "scope", "stopped"),
        [
            ("", "", "", "merges and deployments"),
            ("shop", "", " of shop", "merges and deployments of shop"),
            ("shop", "production", " to production of shop", "deployments to production of shop"),
        ],
    )
    def test_the_scope_of_a_freeze_is_told(self, product: str, environment: str, scope: str, stopped: str) -> None:
        freeze = structs.replace(FREEZE, product=product, environment=environment)
        assert (scope_text(freeze), stopped_text(freeze)) == (scope, stopped)

    @pytest.mark.parametrize(
        ("drill", "until", "told"),
        [
            (False, "", "there is a freeze of merges, by"),
            (True, LATER, "until 2026-11-25T09:00 there is a freeze drill for merges, by"),
        ],
    )
    def test_an_announced_freeze_says_what_it_is(self, drill: bool, until: str, told: str) -> None:
        freeze = structs.replace(FREEZE, since=moments.later(NOW, minutes=1), until=until, drill=drill)
        (reason,) = judged(policy(TWO), freezes=Known((freeze,))).reasons
        message = sentences(Reasons, reason)[0]
        assert told in message
        assert ("until" in message) is bool(until)

    def test_a_freeze_stops_where_nobody_knows_the_people(self) -> None:
        decision = judged(policy(TWO), freezes=Known((FREEZE,)), people=Unknown("gone"))
        message, remedy = sentences(Reasons, decision.reasons[0])
        assert "by sue: " in message
        assert "Nobody can lift it yet" not in remedy
        assert "lift it: " in remedy
        assert "until" not in message

    def test_a_denial_does_not_end_with_an_exception_that_it_uses(self) -> None:
        covered = judged(policy(TWO), approvals=ALONE, exceptions=Known((LEAVE,)), freezes=Known((FREEZE,)))
        assert (covered.outcome, covered.results[0].exception) == (Outcome.DENY, "hot")
        assert ending(covered, policy(TWO), (LEAVE,), (FREEZE,)) == ""


class TestPreviews:
    NOTHING = LandedHeads(True, (), (), -1)

    def test_what_rests_on_records_is_no_preview(self) -> None:
        assert not judged(policy(TWO), pushes=PUSHED).preview

    def test_approvals_that_may_be_spent_make_a_preview(self) -> None:
        assert judged(policy(TWO), pushes=PUSHED, landed_heads=Known(self.NOTHING)).preview
        assert not judged(policy(TWO), pushes=PUSHED, landed_heads=Unknown("gone")).preview

    def test_a_deployment_of_which_one_clause_reads_pushers_is_a_preview(self) -> None:
        reads = TWO.replace('"merge"', '"deploy"')
        other = reads.replace('"two"', '"history"').replace("independent-review", "protected-history")
        assert judged(policy(reads, other), Point.DEPLOY).preview
        assert not judged(policy(other), Point.DEPLOY).preview


class TestClauses:
    def test_a_clause_for_a_branch_applies_where_the_branch_is_unknown(self) -> None:
        words = '[unenforced]\nmerge = "this is a sandbox"\n'
        rules = policy(TWO + 'branches = ["release/*"]\n', more=words)
        decision = judged(rules, revision=Unknown("gone"))
        assert (decision.outcome, [one.clause for one in decision.results]) == (Outcome.DENY, ["two"])

    def test_one_file_of_many_is_enough_for_a_clause_of_paths(self) -> None:
        many = Known((file("src/a.py"), file("docs/a.md"), structs.replace(file("b"), old_path="docs/b")))
        for at in (slice(0, 2), slice(2, 3)):
            decision = judged(policy(TWO + 'paths = ["docs/**"]\n'), approvals=ALONE, files=Known(many.value[at]))
            assert decision.outcome is Outcome.DENY

    def test_what_a_control_reads_is_needed_and_its_version_is_told(self) -> None:
        rules = policy(TWO)
        assert {"approvals", "landed_heads"} <= needed(clauses_at(rules, Point.MERGE, MAIN))
        control = rules.clauses[0].control
        assert control is not None
        assert judged(rules).results[0].control_version == control.version > 0


class TestEndings:
    def test_a_clause_that_reports_for_ever_never_ends(self) -> None:
        rules = policy(TWO.replace('"merge"', ""))
        reported = judged(rules, Point.STATE, approvals=ALONE)
        assert reported.outcome is Outcome.ALLOW
        assert ending(reported, rules, ()) == ""

    def test_a_fact_that_no_kind_knows_never_gets_too_old(self) -> None:
        strange = Facts({"strange": Fact(Known(()), "test", EARLIER, "00")})
        assert ending(judged(policy(TWO)), policy(TWO), (), (), strange) == ""

    def test_what_ends_now_has_ended(self) -> None:
        old = Fact(Known(()), "test", moments.later(NOW, minutes=-60), "00")
        named = Facts({kinds.DEADLINES.name: old})
        assert ending(judged(policy(TWO)), policy(TWO), (), (), named) == ""
        assert isinstance(named.get_at(kinds.DEADLINES, NOW), Unknown)


class Own(Codes):
    """Of a control with codes that others have too."""

    FACT_UNKNOWN = unknown("ours: {name}", "do it")
    NO_CONTROL = met("it is fine")


class TestSentences:
    def test_a_code_of_a_control_is_its_own_unless_a_whole_fact_is_missing(self) -> None:
        ours, whole = (Reason("fact-unknown", Status.UNKNOWN, f"{kind}:x", {"why": "w"}) for kind in ("path", "fact"))
        assert sentences(Own, ours) == ("ours: x", "do it")
        assert "Required information is missing" in sentences(Own, whole)[0]

    def test_a_code_with_another_status_is_another_one(self) -> None:
        assert answer_of(Own, Reasons.NO_CONTROL("clause:x")) is Reasons.NO_CONTROL.value

    def test_only_the_name_of_a_fact_is_told_with_blanks(self) -> None:
        assert fillings("fact:test_runs", {})["name"] == "test runs"
        assert fillings("path:test_runs", {})["name"] == "test_runs"


class TestAccounts:
    def told(self, rules: BoundPolicy, **changed: Maybe[Any]) -> Any:
        given = facts(values(**changed))
        return account(judge(rules, given, Point.MERGE, NOW), rules, given)

    def test_who_contributed_approved_and_could_is_told(self) -> None:
        own = commit(1, hands=(hand("ada"), hand("bot"), hand("nobody")))
        told = self.told(policy(TWO), commits=Known((own,)), approvals=ALONE)
        assert [(one.person, one.identity) for one in told.contributors] == [
            ("", "machine:update-bot"),
            ("ada", ""),
            ("", "account:nobody@example.test"),
        ]
        assert [(one.person, one.counted) for one in told.approvals] == [("bob", True)]
        assert told.eligible_reviewers == ("carol", "sue")
        assert (told.missing_facts, told.names, told.merger) == ((), {}, "")
        assert told.revision.update == "fast-forward"

    def test_who_merged_is_told(self) -> None:
        approved = commit(2, tree=50)
        made = commit(1, tree=60, hands=(hand("ada"), hand("bob", ContributorRole.COMMITTER)))
        kept = ApprovedHead(approved.id, (approved,), made.tree, ())
        told = self.told(policy(TWO), commits=Known((made,)), approved_heads=Known((kept,)))
        assert told.merger == "person:bob"

    @pytest.mark.parametrize(("preview", "known"), [(True, False), (False, True)])
    def test_whether_spent_approvals_are_known_is_told(self, preview: bool, known: bool) -> None:
        landed = Known(LandedHeads(preview, (), (), -1))
        assert self.told(policy(TWO), landed_heads=landed).spent_approvals_known is known
        assert self.told(policy(TWO), landed_heads=Unknown("gone")).spent_approvals_known

    def test_the_action_that_settles_a_reason_is_told(self) -> None:
        ((reason,),) = [result.reasons for result in self.told(policy(TWO), approvals=ALONE).results]
        assert reason.settled_by == "approve"
        ((reason,),) = [result.reasons for result in self.told(policy(TWO)).results]
        assert reason.settled_by == ""

    def test_a_clause_without_a_control_is_told(self) -> None:
        uncovered = TWO.replace('control = "independent-review"\n', "")
        ((reason,),) = [result.reasons for result in self.told(policy(uncovered)).results]
        assert reason.code == "no-control"

    def test_only_who_has_another_name_than_their_id_is_named(self) -> None:
        named = People((*PEOPLE.persons, person("x7", handle="dan")), PEOPLE.machines)
        assert self.told(policy(TWO), people=Known(named)).names == {"x7": "X7"}


def test_the_head_that_is_judged_is_told() -> None:
    assert judged(policy(TWO)).head == REVISION.head
