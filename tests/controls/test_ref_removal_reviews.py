"""Deletion or rewind of a protected ref: which statements approve it, and who cannot."""

from typing import Any

import pytest
from msgspec import structs

from muniment.controls import code_review
from muniment.controls.control import Case
from muniment.controls.included_heads import list_included_heads
from muniment.decision.catalogue import CONTROLS
from muniment.facts.change import ApprovedHead, Pushes, UpdateKind
from muniment.facts.maybe import Known, Maybe, Unknown
from muniment.facts.statements import Approval, ReviewAction
from tests.support.changes import BASE, HEAD, NOW, REVISION, approval, commit, facts, oid, values

DELETED = Known(structs.replace(REVISION, head="", update=Known(UpdateKind.DELETED)))
REWOUND = Known(structs.replace(REVISION, update=Known(UpdateKind.REWOUND)))
ACTIONS = {"deleted": (DELETED, ReviewAction.DELETE, BASE), "rewound": (REWOUND, ReviewAction.REWIND, HEAD.id)}
ADA = Known("person:ada")
BOTH = pytest.mark.parametrize("act", ACTIONS)


def removal(act: str, approvals: tuple[Approval, ...], who: Maybe[str] = ADA) -> dict[str, Any]:
    pushes = Pushes(False, (), (), (), who)
    commits: tuple[Any, ...] = ()
    return values(revision=ACTIONS[act][0], commits=Known(commits), pushes=Known(pushes), approvals=Known(approvals))


def make_approvals(act: str, *names: str, **more: Any) -> tuple[Approval, ...]:
    fields = {"action": ACTIONS[act][1], "ref_head": ACTIONS[act][2], "head": ACTIONS[act][2], "tree": oid(77), **more}
    return tuple(approval(name, **fields) for name in names)


def evaluate_codes(given: dict[str, Any]) -> list[str]:
    control = CONTROLS["independent-review"]
    return [reason.code for reason in control.evaluate(Case(given, control.parameters(), NOW, {}))]


@BOTH
def test_deletion_or_rewind_needs_two_independent_approvals(act: str) -> None:
    assert evaluate_codes(removal(act, ())) == ["too-few-approvals-to-remove"]
    assert evaluate_codes(removal(act, make_approvals(act, "bob"))) == ["too-few-approvals-to-remove"]
    assert evaluate_codes(removal(act, make_approvals(act, "bob", "sue"))) == ["reviewed"]


@BOTH
def test_pusher_of_removal_is_contributor(act: str) -> None:
    assert evaluate_codes(removal(act, make_approvals(act, "bob", "sue"), Known("person:bob"))) == [
        "too-few-approvals-to-remove"
    ]
    assert "undetermined-contributor" in evaluate_codes(
        removal(act, make_approvals(act, "bob", "sue"), Unknown("nobody said"))
    )


@BOTH
def test_approval_of_other_act_or_commit_does_not_count(act: str) -> None:
    others = [action for action in ReviewAction if action is not ACTIONS[act][1]]
    for action in others:
        assert "reviewed" not in evaluate_codes(removal(act, make_approvals(act, "bob", "sue", action=action)))
    assert "reviewed" not in evaluate_codes(
        removal(act, make_approvals(act, "bob", "sue", head=oid(9), ref_head=oid(9)))
    )


def test_approval_of_rewind_is_bound_to_replaced_tip() -> None:
    assert "reviewed" not in evaluate_codes(removal("rewound", make_approvals("rewound", "bob", "sue", base=oid(9))))


@pytest.mark.parametrize("action", [ReviewAction.DELETE, ReviewAction.REWIND])
def test_approval_of_removal_approves_no_change(action: ReviewAction) -> None:
    found = code_review.read_code_review(
        Case(values(approvals=Known((approval("bob", action=action),))), None, NOW, {})
    )
    assert [statement.reasons_not_counted for statement in found.statements] == [("other-action",)]


@BOTH
def test_withdrawal_ends_approval_of_removal(act: str) -> None:
    back = make_approvals(act, "bob", action=ReviewAction.WITHDRAW, id=oid(98), order=1, time=NOW)
    assert "reviewed" not in evaluate_codes(removal(act, (*make_approvals(act, "bob", "sue"), *back)))


def test_unknown_update_kind_cannot_be_approved() -> None:
    unknown = Known(structs.replace(REVISION, update=Unknown("shallow")))
    for action in ReviewAction:
        statements = tuple(approval(name, action=action) for name in ("bob", "sue"))
        assert "reviewed" not in evaluate_codes(values(revision=unknown, approvals=Known(statements)))
    assert "nothing-to-review" not in evaluate_codes(values(revision=unknown, commits=Known(())))


def test_deletion_includes_deleted_tip() -> None:
    assert list_included_heads(facts(removal("deleted", ()))) == (BASE,)


def test_approval_of_rewind_to_other_head_does_not_carry() -> None:
    squash, approved = commit(1, tree=60), commit(2, tree=50)
    stored = ApprovedHead(approved.id, (approved,), squash.tree, ())
    given = removal(
        "rewound", make_approvals("rewound", "bob", "sue", ref_head=approved.id, head=approved.id, tree=approved.tree)
    )
    given = given | {"commits": Known((squash,)), "approved_heads": Known((stored,))}
    assert "reviewed" not in evaluate_codes(given)


@BOTH
def test_preview_needs_no_pusher_of_removal(act: str) -> None:
    given = removal(act, make_approvals(act, "bob", "sue")) | {"pushes": Known(Pushes(True, (), (), ()))}
    assert evaluate_codes(given) == ["reviewed"]
