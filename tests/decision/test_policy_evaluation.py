"""Policy evaluation: which clauses are enforced, the meaning of an empty set, and the scope of exceptions."""

from typing import Any

import pytest
from msgspec import structs

from muniment.controls.control import ResultStatus, Scope
from muniment.decision.binding import BoundPolicy, bind_clauses
from muniment.decision.bound_policies import read_bound_policy, read_policy_in_force
from muniment.decision.catalogue import CONTROLS, PLANNED
from muniment.decision.decision import Decision, Outcome, Reasons, find_template, format_sentences
from muniment.decision.evaluation import evaluate_policy, list_needed_facts, select_clauses
from muniment.decision.exceptions import find_exception_problems
from muniment.decision.expiry import find_expiry
from muniment.decision.freezes import select_freezes
from muniment.decision.report import build_decision_report
from muniment.errors import ParseError
from muniment.facts import kinds, moments
from muniment.facts.facts import Fact, Facts
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.people import People
from muniment.facts.statements import ExceptionSignature, Freeze, PolicyException, ReviewAction, SignatureResult
from muniment.policy.built_in_policy import format_built_in_policy
from muniment.policy.document import parse_policy
from muniment.policy.model import EnforcementPoint
from tests.support.changes import EARLIER, HEAD, MAIN, NOW, PEOPLE, REVISION, approval, facts, file, person, values

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


def policy(*clauses: str, more: str = "") -> BoundPolicy:
    return read_bound_policy(HEADER + more + "".join(clauses), "policy.toml")


def evaluate_facts(
    rules: BoundPolicy, point: EnforcementPoint = EnforcementPoint.MERGE, now: str = NOW, **changed: Maybe[Any]
) -> Decision:
    return evaluate_policy(rules, facts(values(**changed)), point, now)


def codes(decision: Decision) -> list[str]:
    return [reason.code for result in decision.results for reason in result.reasons]


def test_no_enforced_clause_denies_unless_policy_declares_it() -> None:
    report = TWO.replace('"merge"', "")
    assert evaluate_facts(policy(report)).outcome is Outcome.DENY
    assert [reason.code for reason in evaluate_facts(policy(report)).reasons] == ["no-clause-enforced"]
    words = '[unenforced]\nmerge = "this is a sandbox"\n'
    assert evaluate_facts(policy(report, more=words)).outcome is Outcome.ALLOW
    assert [reason.code for reason in evaluate_facts(policy(report, more=words)).reasons] == ["explicitly-unenforced"]


def test_clause_for_other_branches_is_not_enforced() -> None:
    elsewhere = policy(TWO + 'branches = ["release/*"]\n')
    assert evaluate_facts(elsewhere).reasons[0].code == "no-clause-enforced"
    release = Known(structs.replace(REVISION, target="refs/heads/release/1"))
    assert codes(evaluate_facts(elsewhere, revision=release)) == ["too-few-approvals"]


def test_unknown_revision_matches_every_branch_and_denies() -> None:
    decision = evaluate_facts(policy(TWO + 'branches = ["release/*"]\n'), revision=Unknown("gone"))
    assert decision.outcome is Outcome.DENY
    assert (decision.head, decision.target) == ("", "")
    assert build_decision_report(decision, policy(TWO), facts({})).revision.update == "unknown"


def test_a_clause_for_other_paths_is_not_applicable() -> None:
    rules = policy(TWO + 'paths = ["docs/**"]\n')
    assert codes(evaluate_facts(rules, approvals=ALONE)) == ["paths-not-touched"]
    assert codes(evaluate_facts(rules, approvals=ALONE, files=Known((file("docs/a.md"),)))) == ["too-few-approvals"]
    assert codes(evaluate_facts(rules, approvals=ALONE, files=Unknown("gone"))) == ["too-few-approvals"]
    assert kinds.FILES.name in list_needed_facts(select_clauses(rules, EnforcementPoint.MERGE, MAIN))


@pytest.mark.parametrize(("day", "outcome"), [("2026-11-23", Outcome.DENY), ("2026-11-24", Outcome.ALLOW)])
def test_clause_is_monitored_through_end_of_its_last_day(day: str, outcome: Outcome) -> None:
    decision = evaluate_facts(policy(TWO + f"monitoring_until = {day}\n"), approvals=ALONE)
    assert decision.outcome is outcome
    assert decision.results[0].status is ResultStatus.VIOLATED


def test_clause_without_available_control_denies() -> None:
    uncovered = TWO.replace('control = "independent-review"\n', "")
    text = HEADER + TWO.replace("independent-review", "later-control")
    later = bind_clauses(parse_policy(text, "policy.toml"), CONTROLS, frozenset({"later-control"}), "policy.toml", text)
    for rules, code in ((policy(uncovered), "no-control"), (later, "control-not-available")):
        decision = evaluate_facts(rules)
        assert (decision.outcome, codes(decision)) == (Outcome.DENY, [code])
        assert decision.results[0].status is ResultStatus.UNKNOWN
        assert list_needed_facts(select_clauses(rules, EnforcementPoint.MERGE, MAIN)) == {
            *("revision", "pushes", "people", "exceptions", "freezes")
        }


def test_clause_of_another_version_denies_and_names_its_repair() -> None:
    text = HEADER + TWO.replace("independent-review", "renamed")
    problems = read_policy_in_force(text, "p").clause_problems
    assert list(problems) == ["two"]
    assert "expected the name of a control, found 'renamed'" in problems["two"]
    decision = evaluate_facts(read_policy_in_force(text, "p"))
    assert (decision.outcome, codes(decision)) == (Outcome.DENY, ["clause-not-evaluable"])
    assert decision.results[0].status is ResultStatus.UNKNOWN


def test_unenforced_violation_does_not_deny() -> None:
    decision = evaluate_facts(policy(TWO.replace('"merge"', "")), EnforcementPoint.STATE, approvals=ALONE)
    assert (decision.outcome, decision.results[0].enforced) == (Outcome.ALLOW, False)


def test_control_without_result_denies() -> None:
    rules = policy(TWO)
    assert rules.clauses[0].control is not None
    silent = structs.replace(rules.clauses[0].control, evaluate=lambda case: ())
    broken = structs.replace(rules, clauses=(structs.replace(rules.clauses[0], control=silent),))
    decision = evaluate_facts(broken)
    assert (decision.outcome, codes(decision)) == (Outcome.DENY, ["control-without-result"])


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


def test_exception_covers_only_its_clause() -> None:
    covered = evaluate_facts(policy(TWO), approvals=ALONE, exceptions=Known((LEAVE,)))
    assert (covered.outcome, covered.results[0].exception) == (Outcome.ALLOW, "hot")
    other = structs.replace(LEAVE, clause="else")
    assert evaluate_facts(policy(TWO), approvals=ALONE, exceptions=Known((other,))).outcome is Outcome.DENY
    this = structs.replace(LEAVE, head=HEAD.id)
    assert evaluate_facts(policy(TWO), approvals=ALONE, exceptions=Known((this,))).outcome is Outcome.ALLOW


def test_decision_by_exception_expires_with_exception() -> None:
    older = structs.replace(LEAVE, expires=moments.add_time(NOW, minutes=-1))
    known = (LEAVE, older, structs.replace(LEAVE, id="other", expires=moments.add_time(NOW, minutes=1)))
    covered = evaluate_facts(policy(TWO), approvals=ALONE, exceptions=Known((LEAVE,)))
    assert find_expiry(covered, policy(TWO), known) == LEAVE.expires
    assert find_expiry(evaluate_facts(policy(TWO), approvals=ALONE), policy(TWO), known) == ""


def test_decision_expires_when_monitoring_ends() -> None:
    rules = policy(TWO + "monitoring_until = 2026-11-24\n")
    assert find_expiry(evaluate_facts(rules, approvals=ALONE), rules, ()) == "2026-11-25T00:00:00.000000Z"
    fine = evaluate_facts(rules)
    assert fine.outcome is Outcome.ALLOW
    assert find_expiry(fine, rules, ()) == ""


@pytest.mark.parametrize("missing", ["exceptions", "people"])
def test_unverifiable_exception_covers_nothing(missing: str) -> None:
    changed: dict[str, Any] = {"exceptions": Known((LEAVE,)), "approvals": ALONE, missing: Unknown("gone")}
    assert evaluate_facts(policy(TWO), **changed).outcome is Outcome.DENY


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"signatures": LEAVE.signatures[:1]}, "not-approved-by-another"),
        ({"signatures": LEAVE.signatures[1:]}, "not-signed-by-owner"),
        (
            {"signatures": (*LEAVE.signatures[:1], ExceptionSignature("sue", SignatureResult.BAD))},
            "not-approved-by-another",
        ),
        (
            {"signatures": (*LEAVE.signatures[:1], ExceptionSignature("nobody", SignatureResult.VALID))},
            "not-approved-by-another",
        ),
        ({"owner": "sue", "signatures": LEAVE.signatures[1:]}, "not-approved-by-another"),
        ({"reason": " "}, "no-reason"),
        ({"granted": NOW[:-2] + "9Z"}, "not-begun"),
        ({"expires": NOW}, "expired"),
        ({"granted": "2026-08-01T00:00:00.000000Z"}, "too-long"),
    ],
)
def test_invalid_exception_is_refused_with_reason(changed: dict[str, Any], why: str) -> None:
    assert find_exception_problems(structs.replace(LEAVE, **changed), PEOPLE, NOW) == (why,)


def test_report_lists_missing_facts() -> None:
    rules = policy(TWO)
    given = facts(values(approvals=Unknown("ssh-keygen is not installed")))
    report = build_decision_report(evaluate_policy(rules, given, EnforcementPoint.MERGE, NOW), rules, given)
    assert (report.contributors, report.approvals) == ((), ())
    assert report.missing_facts == ("Required information is missing (approvals): ssh-keygen is not installed.",)
    assert report.results[0].reasons[0].remedy


def test_every_reason_code_has_sentences() -> None:
    for control in CONTROLS.values():
        assert control.scope in Scope
        for member in control.codes:
            assert find_template(control.codes, member("commit:x")) is member.value
    with pytest.raises(KeyError):
        find_template(Reasons, structs.replace(Reasons.NO_CONTROL("clause:x"), code="no-such-code"))


def test_every_control_reports_missing_fact() -> None:
    for name in CONTROLS:
        rules = policy(TWO.replace("independent-review", name))
        report = build_decision_report(evaluate_policy(rules, facts({}), EnforcementPoint.MERGE, NOW), rules, facts({}))
        assert "it was not collected" in report.results[0].reasons[0].message


def test_no_control_is_both_available_and_planned() -> None:
    assert not CONTROLS.keys() & PLANNED
    assert {bound.clause.control for bound in policy(TWO).clauses} <= CONTROLS.keys()


@pytest.mark.parametrize("text", ["2026-11-24", "2026-11-24T09:00:00Z", "2026-11-24T10:00:00.000000+01:00", "x"])
def test_refuses_malformed_time(text: str) -> None:
    with pytest.raises(ParseError, match="is not a moment"):
        moments.parse_moment(text)
    with pytest.raises(ValueError, match="time zone"):
        moments.format_moment(moments.parse_moment(NOW).replace(tzinfo=None))


FREEZE = Freeze("f1", "sue", "the registry leaks", "2026-11-24T08:00:00.000000Z", drill=False)


def test_freeze_denies_all_merges_regardless_of_clauses() -> None:
    frozen = evaluate_facts(policy(TWO), freezes=Known((FREEZE,)))
    assert frozen.outcome is Outcome.DENY
    assert frozen.results[0].status is ResultStatus.MET
    assert [reason.code for reason in frozen.reasons] == ["frozen"]
    covered = evaluate_facts(policy(TWO), approvals=ALONE, exceptions=Known((LEAVE,)), freezes=Known((FREEZE,)))
    assert covered.outcome is Outcome.DENY


@pytest.mark.parametrize(
    ("product", "environment", "merge", "production", "staging", "other"),
    [
        ("", "", True, True, True, True),
        ("shop", "", True, True, True, False),
        ("shop", "production", False, True, False, False),
    ],
)
def test_a_freeze_denies_nothing_outside_of_its_scope(
    product: str, environment: str, merge: bool, production: bool, staging: bool, other: bool
) -> None:
    freezes = (structs.replace(FREEZE, product=product, environment=environment),)
    stopped = [
        bool(select_freezes(freezes, NOW, *scope))
        for scope in (("shop",), ("shop", "production"), ("shop", "staging"), ("else", "production"))
    ]
    assert stopped == [merge, production, staging, other]


def test_a_freeze_names_its_scope_and_its_end() -> None:
    freeze = structs.replace(FREEZE, product="shop", until=moments.add_time(NOW, days=1))
    (reason,) = evaluate_facts(policy(TWO), freezes=Known((freeze,))).reasons
    message, remedy = format_sentences(Reasons, reason)
    assert message.startswith("All merges of shop are stopped since 2026-11-24T08:00 until ")
    assert "can lift it earlier" in remedy


@pytest.mark.parametrize(("since", "until", "denied"), [(-2, 2, True), (-2, 0, False), (0, 2, True), (1, 2, False)])
def test_a_freeze_denies_nothing_before_its_start_and_from_its_end(since: int, until: int, denied: bool) -> None:
    freeze = structs.replace(FREEZE, since=moments.add_time(NOW, days=since), until=moments.add_time(NOW, days=until))
    decision = evaluate_facts(policy(TWO), freezes=Known((freeze,)))
    assert (decision.outcome is Outcome.DENY) == denied
    assert [reason.code for reason in decision.reasons] == (
        ["frozen"] if denied else [] if until == 0 else ["freeze-announced"]
    )


def test_a_decision_is_stale_where_a_freeze_begins_and_where_it_ends() -> None:
    start, end = moments.add_time(NOW, days=1), moments.add_time(NOW, days=2)
    freeze = structs.replace(FREEZE, since=start, until=end)
    rules = policy(TWO)
    allowed = evaluate_facts(rules, freezes=Known((freeze,)))
    assert (allowed.outcome, find_expiry(allowed, rules, (), (freeze,))) == (Outcome.ALLOW, start)
    begun = structs.replace(freeze, since=EARLIER)
    denied = evaluate_facts(rules, freezes=Known((begun,)))
    assert (denied.outcome, find_expiry(denied, rules, (), (begun,))) == (Outcome.DENY, end)
    assert find_expiry(denied, rules, (), (structs.replace(begun, drill=True),)) == ""


def test_freeze_denies_deployments() -> None:
    rules = policy(TWO.replace('"merge"', '"deploy"'))
    frozen = evaluate_facts(rules, EnforcementPoint.DEPLOY, freezes=Known((FREEZE,)))
    assert frozen.outcome is Outcome.DENY
    assert format_sentences(Reasons, frozen.reasons[0])[0].startswith("All deployments are stopped")
    assert evaluate_facts(rules, EnforcementPoint.DEPLOY, freezes=Unknown("gone")).outcome is Outcome.DENY


def test_decision_with_assumed_pushers_is_preview() -> None:
    history = TWO.replace("independent-review", "protected-history")
    assert evaluate_facts(policy(history)).preview
    assert not evaluate_facts(policy(history.replace('"merge"', '"deploy"')), EnforcementPoint.DEPLOY).preview
    assert evaluate_facts(policy(TWO.replace('"merge"', '"deploy"')), EnforcementPoint.DEPLOY).preview


def test_freeze_drill_denies_nothing_and_is_shown() -> None:
    drill = evaluate_facts(policy(TWO), freezes=Known((structs.replace(FREEZE, drill=True),)))
    assert (drill.outcome, drill.reasons[0].code) == (Outcome.ALLOW, "freeze-drill")


def test_unknown_freezes_deny_merges_but_not_state_reports() -> None:
    assert evaluate_facts(policy(TWO), freezes=Unknown("the ledger is gone")).outcome is Outcome.DENY
    reported = evaluate_facts(policy(TWO.replace('"merge"', "")), EnforcementPoint.STATE, freezes=Known((FREEZE,)))
    assert (reported.outcome, reported.reasons) == (Outcome.ALLOW, ())


def test_sentences_name_people_by_handle_not_by_id() -> None:
    ids = {"ada": "k3f7", "bob": "9xq2", "carol": "m4tt", "sue": "w8rr"}
    people = People(
        tuple(structs.replace(one, id=ids[one.id], handle=one.id, name=f"{one.name} Doe") for one in PEOPLE.persons),
        PEOPLE.machines,
    )
    freeze = Freeze("x", ids["sue"], "a leak", EARLIER, drill=False)
    known = Known((approval(ids["bob"], action=ReviewAction.REQUEST_CHANGES),))
    given = facts(values(people=Known(people), freezes=Known((freeze,)), approvals=known))
    rules = policy(TWO)
    report = build_decision_report(evaluate_policy(rules, given, EnforcementPoint.MERGE, NOW), rules, given)
    text = " ".join(
        one.message + one.remedy for one in (*report.reasons, *(why for each in report.results for why in each.reasons))
    )
    assert "Sue Doe" in text
    assert "Bob Doe requested changes" in text
    assert not [one for one in ids.values() if one in text]
    assert report.names == {ids[name]: f"{name.title()} Doe" for name in ("ada", "bob", "carol", "sue")}


@pytest.mark.parametrize(("officers", "missing"), [(0, 2), (1, 1), (2, 0), (3, 0)])
def test_freeze_without_authorised_person_names_role_to_appoint(officers: int, missing: int) -> None:
    roles = [("security",) if number < officers else ("developer",) for number in range(3)]
    persons = tuple(person(name, roles=held) for name, held in zip(("ada", "bob", "carol"), roles, strict=True))
    gone = person("dan", roles=("security",), active=False)
    (reason,) = evaluate_facts(
        policy(TWO), people=Known(People((*persons, gone), ())), freezes=Known((FREEZE,))
    ).reasons
    remedy = format_sentences(Reasons, reason)[1]
    assert ("Nobody can lift it yet" in remedy) == bool(missing)
    assert not missing or f"give {missing} more people that role" in remedy


def test_allow_decision_expires_with_its_facts() -> None:
    rules = policy(TWO)
    allowed = evaluate_facts(rules)
    assert allowed.outcome is Outcome.ALLOW
    read_at = moments.add_time(allowed.time, minutes=-10)
    old = Fact(Known(()), "the forge", read_at, "0" * 32)
    assert find_expiry(allowed, rules, (), (), Facts({kinds.DEADLINES.name: old})) == moments.add_time(
        read_at, minutes=60
    )
    assert find_expiry(allowed, rules, (), (), Facts({kinds.APPROVALS.name: old})) == "", "it never gets too old"
    unread = structs.replace(old, value=Unknown("it was not read"))
    assert find_expiry(allowed, rules, (), (), Facts({kinds.DEADLINES.name: unread})) == ""
