"""Control of new findings: what blocks a change, what is only shown, and what is unknown."""

from typing import Any

import pytest
from msgspec.structs import replace

from muniment.controls.control import Case, ResultStatus
from muniment.controls.no_new_findings import CONTROL
from muniment.decision.decision import format_sentences
from muniment.facts.change import Revision, UpdateKind
from muniment.facts.code_facts import ChangeScan, CodeFinding, IgnoreComment, UnscannedFile
from muniment.facts.finding_facts import MonitoredRule
from muniment.facts.maybe import Known, Unknown
from muniment.facts.people import People
from muniment.facts.statements import ReviewAction, SignatureResult
from tests.support.changes import approval, oid, person, values

NOW = "2026-11-24T09:00:00.000000Z"
BASE, HEAD = "b" * 40, "a" * 40
FINDING = CodeFinding("sql-injection", "Values are parameters.", 89, "critical", "shop/orders.py", 7, "f" * 32)
SECRET = CodeFinding("token-in-code", "Credentials are in the vault.", 798, "critical", "a.py", 1, "e" * 32, True)
LOW = CodeFinding("weak-hash", "Digests use SHA-256.", 328, "low", "b.py", 2, "d" * 32)


def evaluate(scan: ChangeScan, parameters: Any = None, **more: Any) -> list[tuple[ResultStatus, str]]:
    revision = Known(Revision("shop", "refs/heads/main", BASE, HEAD, Known(UpdateKind.FAST_FORWARD)))
    facts = values(**{"revision": revision, "change_scan": Known(scan), **more})
    case = Case(facts, CONTROL.parameters(**(parameters or {})), NOW, {})
    return [(reason.status, format_sentences(CONTROL.codes, reason)[0]) for reason in CONTROL.evaluate(case)]


def scan(*findings: CodeFinding, unscanned: tuple[UnscannedFile, ...] = (), **more: Any) -> ChangeScan:
    listed = more.get("languages", ()), more.get("comments", ())
    return ChangeScan(("python",), more.get("scanned", 3), findings, unscanned, *listed)


@pytest.mark.parametrize(
    ("found", "status", "sentence"),
    [
        (scan(), ResultStatus.MET, "No new finding in the scanned files (3). Engines: python."),
        (scan(scanned=0), ResultStatus.NOT_APPLICABLE, "The change adds and alters no file."),
        (
            scan(FINDING),
            ResultStatus.VIOLATED,
            "shop/orders.py, line 7: Values are parameters. Rule sql-injection, severity critical.",
        ),
        (scan(SECRET), ResultStatus.VIOLATED, "a.py, line 1: Credentials are in the vault. Rule token-in-code."),
        (
            scan(LOW),
            ResultStatus.MET,
            "b.py, line 2: Digests use SHA-256. Rule weak-hash, severity low. This does not block.",
        ),
        (
            scan(unscanned=(UnscannedFile("c.py", "it is too large"),), scanned=0),
            ResultStatus.UNKNOWN,
            "c.py could not be scanned: it is too large.",
        ),
    ],
)
def test_each_finding_and_each_unscanned_file_has_its_reason(
    found: ChangeScan, status: ResultStatus, sentence: str
) -> None:
    assert evaluate(found) == [(status, sentence)]


def test_the_policy_chooses_severities_and_a_secret_blocks_whatever_it_chooses() -> None:
    assert [status for status, _ in evaluate(scan(LOW), {"severities": ("low",)})] == [ResultStatus.VIOLATED]
    statuses = [status for status, _ in evaluate(scan(FINDING, SECRET), {"severities": ()})]
    assert statuses == [ResultStatus.MET, ResultStatus.VIOLATED]


def test_a_language_that_is_not_read_is_named() -> None:
    assert evaluate(scan(languages=("Go", "Java")))[1] == (
        ResultStatus.MET,
        "Go, Java: only secrets are looked for in files of this language.",
    )


def test_a_secret_that_was_removed_again_blocks_a_change_that_leaves_no_file() -> None:
    assert [status for status, _ in evaluate(scan(SECRET, scanned=0))] == [ResultStatus.VIOLATED]


# Comments that ask to ignore a rule. The revision is that of `values()`, whose author is ada.

COMMENT = IgnoreComment(FINDING.path, 6, FINDING.line, FINDING.rule, "the table has no data of people")


def decide(finding: CodeFinding = FINDING, comment: IgnoreComment = COMMENT, **more: Any) -> list[tuple[Any, str]]:
    found = scan(finding, comments=(comment,))
    return evaluate(found, **{"revision": values()["revision"], **more})


def approve(who: str, **more: Any) -> Known[Any]:
    return Known((replace(approval(who), **more),))


def test_a_comment_counts_if_the_security_role_approved_this_very_revision() -> None:
    assert decide(approvals=approve("sue")) == [
        (
            ResultStatus.MET,
            "shop/orders.py, line 7: rule sql-injection is ignored, because: the table has no data of people. "
            "sue approved this revision with the security role.",
        )
    ]


@pytest.mark.parametrize(
    "approvals",
    [
        Known(()),
        approve("bob"),
        approve("sue", head=oid(99), ref_head=oid(99)),
        approve("sue", action=ReviewAction.REQUEST_CHANGES),
        approve("sue", action=ReviewAction.ATTEST),
        approve("sue", signature=SignatureResult.BAD),
        approve("sue", target="refs/heads/other"),
    ],
)
def test_a_comment_without_such_an_approval_ignores_nothing(approvals: Known[Any]) -> None:
    ((status, sentence),) = decide(approvals=approvals)
    assert status is ResultStatus.VIOLATED
    assert "nobody with the security role who did not contribute has approved this very revision" in sentence


def test_a_security_officer_who_contributed_or_is_inactive_ignores_nothing() -> None:
    for people in (
        People((person("ada", roles=("security",)), person("sue", roles=("developer",))), ()),
        People((person("ada"), person("sue", roles=("security",), active=False)), ()),
    ):
        approvals = Known((approval("sue"), approval("ada")))
        assert [status for status, _ in decide(people=Known(people), approvals=approvals)] == [ResultStatus.VIOLATED]


def test_an_unknown_contributor_or_an_unknown_fact_makes_a_comment_unknown() -> None:
    strangers = People((person("sue", roles=("security",)),), ())
    ((status, sentence),) = decide(people=Known(strangers), approvals=approve("sue"))
    assert status is ResultStatus.UNKNOWN
    assert "who contributed to this revision is not known" in sentence
    ((status, sentence),) = decide(approvals=Unknown("the forge did not answer"))
    assert (status, "the forge did not answer" in sentence) == (ResultStatus.UNKNOWN, True)


@pytest.mark.parametrize(
    ("finding", "comment"),
    [
        (SECRET, IgnoreComment("a.py", 1, 1, "token-in-code", "an example of the documentation")),
        (replace(FINDING, is_hard=True), COMMENT),
        (FINDING, replace(COMMENT, target=8)),
        (FINDING, replace(COMMENT, path="shop/other.py")),
        (FINDING, replace(COMMENT, rule="weak-hash")),
    ],
)
def test_no_comment_ignores_a_secret_a_hard_rule_or_another_place(finding: CodeFinding, comment: IgnoreComment) -> None:
    found = decide(finding, comment, approvals=approve("sue"))
    assert [status for status, _ in found] == [ResultStatus.VIOLATED, ResultStatus.MET]
    assert "a comment ignores rule" in found[1][1]


def test_a_rule_that_is_new_changed_or_monitored_by_the_policy_blocks_nothing() -> None:
    later, past = "2026-12-01T09:00:00.000000Z", "2026-11-24T08:00:00.000000Z"
    new = {"monitored_rules": Known((MonitoredRule(FINDING.rule, later),))}
    comment = replace(COMMENT, path=FINDING.path, target=FINDING.line, rule=FINDING.rule)
    ((status, sentence),) = evaluate(scan(FINDING, comments=(comment,)), **new)
    assert (status, "new or changed, and blocks from 2026-12-01 on" in sentence) == (ResultStatus.MET, True)
    ((status, sentence),) = evaluate(scan(FINDING), {"monitored_rules": (FINDING.rule,)}, **new)
    assert (status, "The policy only monitors this rule" in sentence) == (ResultStatus.MET, True)
    over = Known((MonitoredRule(FINDING.rule, past),))
    for fact in (over, Known((MonitoredRule("other", later),)), Unknown("the table cannot be read")):
        assert evaluate(scan(FINDING), monitored_rules=fact)[0][0] is ResultStatus.VIOLATED
    minor = Known((MonitoredRule(LOW.rule, later),))
    assert "severity low. This does not block." in evaluate(scan(LOW), monitored_rules=minor)[0][1]


def test_no_monitoring_permits_a_secret() -> None:
    rules = Known((MonitoredRule(SECRET.rule, "2026-12-01T09:00:00.000000Z"),))
    found = evaluate(scan(SECRET), {"monitored_rules": (SECRET.rule,)}, monitored_rules=rules)
    assert [status for status, _ in found] == [ResultStatus.VIOLATED]


def test_a_comment_on_what_does_not_block_needs_no_approval() -> None:
    comment = IgnoreComment(LOW.path, 1, LOW.line, LOW.rule, "the digest names a file")
    assert [status for status, _ in decide(LOW, comment)] == [ResultStatus.MET]
