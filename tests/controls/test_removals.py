"""Deleting or rewinding a protected ref: which statements approve it, and who cannot."""

from typing import Any

import pytest
from msgspec import structs

from muniment.controls import code_review
from muniment.controls.control import Case
from muniment.controls.included_heads import included_heads
from muniment.decision.catalogue import CONTROLS
from muniment.facts.change import ApprovedHead, Pushes, Update
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.statements import Approval, ReviewAction
from tests.support.changes import BASE, HEAD, NOW, REVISION, approval, commit, facts, oid, values

DELETED = Known(structs.replace(REVISION, head="", update=Known(Update.DELETED)))
REWOUND = Known(structs.replace(REVISION, update=Known(Update.REWOUND)))
ACTIONS = {"deleted": (DELETED, ReviewAction.DELETE, BASE), "rewound": (REWOUND, ReviewAction.REWIND, HEAD.id)}
ADA = Known("person:ada")
BOTH = pytest.mark.parametrize("act", ACTIONS)


def removal(act: str, approvals: tuple[Approval, ...], who: Maybe[str] = ADA) -> dict[str, Any]:
    pushes = Pushes(False, (), (), (), who)
    commits: tuple[Any, ...] = ()
    return values(revision=ACTIONS[act][0], commits=Known(commits), pushes=Known(pushes), approvals=Known(approvals))


def said(act: str, *names: str, **more: Any) -> tuple[Approval, ...]:
    fields = {"action": ACTIONS[act][1], "ref_head": ACTIONS[act][2], "head": ACTIONS[act][2], "tree": oid(77), **more}
    return tuple(approval(name, **fields) for name in names)


def answered(given: dict[str, Any]) -> list[str]:
    control = CONTROLS["independent-review"]
    return [reason.code for reason in control.judge(Case(given, control.parameters(), NOW, {}))]


@BOTH
def test_nobody_deletes_or_rewinds_without_two_others(act: str) -> None:
    assert answered(removal(act, ())) == ["too-few-approvals-to-remove"]
    assert answered(removal(act, said(act, "bob"))) == ["too-few-approvals-to-remove"]
    assert answered(removal(act, said(act, "bob", "sue"))) == ["reviewed"]


@BOTH
def test_whoever_pushes_it_is_its_contributor(act: str) -> None:
    assert answered(removal(act, said(act, "bob", "sue"), Known("person:bob"))) == ["too-few-approvals-to-remove"]
    assert "undetermined-contributor" in answered(removal(act, said(act, "bob", "sue"), Unknown("nobody said")))


@BOTH
def test_another_act_or_another_commit_approves_nothing(act: str) -> None:
    others = [action for action in ReviewAction if action is not ACTIONS[act][1]]
    for action in others:
        assert "reviewed" not in answered(removal(act, said(act, "bob", "sue", action=action)))
    assert "reviewed" not in answered(removal(act, said(act, "bob", "sue", head=oid(9), ref_head=oid(9))))


def test_a_rewind_is_approved_for_the_tip_that_it_replaces() -> None:
    assert "reviewed" not in answered(removal("rewound", said("rewound", "bob", "sue", base=oid(9))))


@pytest.mark.parametrize("action", [ReviewAction.DELETE, ReviewAction.REWIND])
def test_a_statement_on_a_removal_approves_no_change(action: ReviewAction) -> None:
    found = code_review.read(Case(values(approvals=Known((approval("bob", action=action),))), None, NOW, {}))
    assert [judged.why_not for judged in found.judged] == [("other-action",)]


@BOTH
def test_a_withdrawal_takes_it_back(act: str) -> None:
    back = said(act, "bob", action=ReviewAction.WITHDRAW, id=oid(98), order=1, time=NOW)
    assert "reviewed" not in answered(removal(act, (*said(act, "bob", "sue"), *back)))


def test_an_update_of_which_nobody_knows_what_it_does_is_approved_by_nothing() -> None:
    unknown = Known(structs.replace(REVISION, update=Unknown("shallow")))
    for action in ReviewAction:
        statements = tuple(approval(name, action=action) for name in ("bob", "sue"))
        assert "reviewed" not in answered(values(revision=unknown, approvals=Known(statements)))
    assert "nothing-to-review" not in answered(values(revision=unknown, commits=Known(())))


def test_a_deletion_includes_the_tip_that_it_deletes() -> None:
    assert included_heads(facts(removal("deleted", ()))) == (BASE,)


def test_a_statement_on_a_rewind_to_another_head_is_kept_for_none() -> None:
    squash, approved = commit(1, tree=60), commit(2, tree=50)
    kept = ApprovedHead(approved.id, (approved,), squash.tree, ())
    given = removal(
        "rewound", said("rewound", "bob", "sue", ref_head=approved.id, head=approved.id, tree=approved.tree)
    )
    given = given | {"commits": Known((squash,)), "approved_heads": Known((kept,))}
    assert "reviewed" not in answered(given)


@BOTH
def test_a_preview_does_not_miss_who_will_push_it(act: str) -> None:
    given = removal(act, said(act, "bob", "sue")) | {"pushes": Known(Pushes(True, (), (), ()))}
    assert answered(given) == ["reviewed"]
