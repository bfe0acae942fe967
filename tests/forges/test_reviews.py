"""Reviews of a forge as statements: approvals, requested changes and withdrawals, one case a line."""

from typing import Any

import pytest
from msgspec import structs

from muniment.errors import ForgeError
from muniment.facts.maybe import Known, Unknown
from muniment.facts.people import People
from muniment.facts.statements import Approval, ReviewAction, SignatureResult
from muniment.forges.accounts import Accounts
from muniment.forges.reviews import find_last_retarget, make_statements, mark_retargeted, merge_statements
from muniment.forges.shapes import Account, Change, ChangeState, Retarget, Review, ReviewState
from tests.support.changes import MAIN, PEOPLE, person

HEAD, OTHER = "a" * 40, "c" * 40
BOB, BOBS_OTHER, CAROL = Account("2", "bob"), Account("22", "bob-work"), Account("3", "carol")
BOT, MACHINE = Account("9", "bob", machine=True), Account("8", "robot")
AMONG = People(
    (
        person("ada", accounts=("hub/ada",)),
        person("bob", accounts=("hub/bob", "hub/bob-work")),
        person("carol", accounts=("hub/carol",)),
    ),
    (structs.replace(PEOPLE.machines[0], accounts=("hub/robot",)),),
)
WRITERS = {"2": True, "22": True, "3": True, "9": True, "8": True}
CHANGE = Change(
    number=1,
    title="",
    text="",
    state=ChangeState.OPEN,
    draft=False,
    opener=Account("1", "ada"),
    target=MAIN,
    base="b" * 40,
    source="refs/heads/topic",
    source_repository="shop/api",
    head=HEAD,
    labels=(),
    opened="2026-11-24T08:00:00.000000Z",
    updated="2026-11-24T08:00:00.000000Z",
    url="",
)


def at(minute: int) -> str:
    return f"2026-11-24T08:{minute:02}:00.000000Z"


def review(by: Account = BOB, state: ReviewState = ReviewState.APPROVED, minute: int = 10, **more: Any) -> Review:
    return Review(str(minute), by, state, more.pop("commit", HEAD), at(minute), **more)


def convert(*given: Review, retargets: tuple[Retarget, ...] = (), writers: Any = None) -> list[Approval]:
    found = make_statements(
        "shop",
        CHANGE,
        given,
        retargets,
        WRITERS if writers is None else writers,
        Accounts("hub", AMONG),
        lambda commit: f"tree-{commit[:1]}",
    )
    return list(found)


DISMISSED: dict[str, Any] = {"dismissed": True, "dismissed_at": at(20)}


@pytest.mark.parametrize(
    ("given", "signature", "action"),
    [
        (review(), SignatureResult.FORGE, ReviewAction.APPROVE),
        (review(BOBS_OTHER), SignatureResult.FORGE, ReviewAction.APPROVE),
        (review(BOT), SignatureResult.MACHINE, ReviewAction.APPROVE),
        (review(MACHINE), SignatureResult.MACHINE, ReviewAction.APPROVE),
        (review(Account("77", "stranger")), SignatureResult.UNKNOWN_PERSON, ReviewAction.APPROVE),
        (review(**DISMISSED, dismissed_by=Known(CAROL)), SignatureResult.FORGE, ReviewAction.WITHDRAW),
        (review(**DISMISSED), SignatureResult.FORGE, ReviewAction.WITHDRAW),
        (review(asked_again=at(30)), SignatureResult.FORGE, ReviewAction.WITHDRAW),
        (review(state=ReviewState.CHANGES_REQUESTED), SignatureResult.FORGE, ReviewAction.REQUEST_CHANGES),
        (
            review(state=ReviewState.CHANGES_REQUESTED, **DISMISSED, dismissed_by=Known(CAROL)),
            SignatureResult.FORGE,
            ReviewAction.REQUEST_CHANGES,
        ),
        (review(state=ReviewState.CHANGES_REQUESTED, **DISMISSED), SignatureResult.FORGE, ReviewAction.REQUEST_CHANGES),
        (
            review(state=ReviewState.CHANGES_REQUESTED, asked_again=at(30)),
            SignatureResult.FORGE,
            ReviewAction.REQUEST_CHANGES,
        ),
        (
            review(state=ReviewState.CHANGES_REQUESTED, **DISMISSED, dismissed_by=Known(BOBS_OTHER)),
            SignatureResult.FORGE,
            ReviewAction.WITHDRAW,
        ),
        (
            review(
                Account("77", "x"), ReviewState.CHANGES_REQUESTED, **DISMISSED, dismissed_by=Known(Account("78", "y"))
            ),
            SignatureResult.UNKNOWN_PERSON,
            ReviewAction.REQUEST_CHANGES,
        ),
    ],
)
def test_review_is_mapped_to_statement(given: Review, signature: SignatureResult, action: ReviewAction) -> None:
    (found,) = convert(given)
    assert (found.signature, found.action) == (signature, action)
    assert (found.ref_head, found.head, found.tree) == (HEAD, HEAD, "tree-a")


@pytest.mark.parametrize("writers", [{}, {"2": False}])
def test_review_without_known_write_access_does_not_count(writers: dict[str, bool]) -> None:
    (found,) = convert(review(), writers=writers)
    assert found.signature is SignatureResult.MAY_NOT_WRITE


def test_ended_approval_does_not_lift_later_requested_changes() -> None:
    ended, asked = convert(
        review(minute=10, dismissed=True, dismissed_by=Known(CAROL), dismissed_at=at(30)),
        review(state=ReviewState.CHANGES_REQUESTED, minute=20),
    )
    assert ended.action is ReviewAction.WITHDRAW
    assert ended.time < asked.time


def test_approval_is_bound_to_target_branch_at_its_time() -> None:
    away = Retarget("refs/heads/old", MAIN, Unknown("who"), at(20))
    found = convert(review(minute=10), review(minute=20), review(minute=30), retargets=(away,))
    assert [one.target for one in found] == ["refs/heads/old", "refs/heads/old", MAIN]


def test_contradicting_target_history_is_error() -> None:
    with pytest.raises(ForgeError, match="last pointed at"):
        convert(review(), retargets=(Retarget(MAIN, "refs/heads/old", Unknown("who"), at(20)),))


def test_forge_and_signed_statements_are_ordered_by_time_and_chain() -> None:
    signed = [
        Approval(HEAD, "bob", "s1", 0, SignatureResult.VALID, time=at(40)),
        Approval(HEAD, "bob", "s2", 1, SignatureResult.VALID, time=at(5)),  # dated back, but signed after
    ]
    both = merge_statements(signed, convert(review(minute=10)))
    assert [one.id for one in both] == ["10", "s1", "s2"]
    assert [one.order for one in both] == [0, 1, 2]


AWAY_AND_BACK = (
    Retarget(MAIN, "refs/heads/old", Unknown("who"), at(20)),
    Retarget("refs/heads/old", MAIN, Unknown("who"), at(25)),
)


def test_approval_ends_after_retarget_and_return() -> None:
    found = convert(review(minute=10), review(minute=22), review(minute=25), review(minute=30), retargets=AWAY_AND_BACK)
    assert [one.retargeted for one in found] == [True, True, True, False]


def test_signed_approval_ends_after_retarget_and_return() -> None:
    signed = [Approval(HEAD, "bob", f"s{minute}", 0, SignatureResult.VALID, time=at(minute)) for minute in (10, 30)]
    assert [one.retargeted for one in mark_retargeted(signed, find_last_retarget(AWAY_AND_BACK))] == [True, False]
    assert [one.retargeted for one in mark_retargeted(signed, find_last_retarget(()))] == [False, False]


def test_retarget_does_not_lift_requested_changes() -> None:
    away = (Retarget("refs/heads/old", MAIN, Unknown("who"), at(20)),)
    requested, approved = convert(review(state=ReviewState.CHANGES_REQUESTED), review(CAROL, minute=11), retargets=away)
    assert (requested.target, approved.target) == (MAIN, "refs/heads/old")
    lifted, _ = convert(review(state=ReviewState.CHANGES_REQUESTED), review(BOBS_OTHER, minute=11), retargets=away)
    assert lifted.target == "refs/heads/old"


def test_approval_by_account_without_write_access_lifts_no_request_of_another_target() -> None:
    away = (Retarget("refs/heads/other", MAIN, Unknown("who"), at(15)),)
    given = (review(state=ReviewState.CHANGES_REQUESTED), review(BOBS_OTHER, minute=20))
    requested, _ = convert(*given, retargets=away, writers={**WRITERS, "22": False})
    assert (requested.target, requested.action) == (MAIN, ReviewAction.REQUEST_CHANGES)
    lifted, _ = convert(*given, retargets=away)
    assert lifted.target == "refs/heads/other"


@pytest.mark.parametrize(
    ("given", "signature"),
    [
        (review(Account("4", "dan")), SignatureResult.UNCONFIRMED),
        (
            review(Account("4", "dan"), **DISMISSED, dismissed_by=Known(Account("4", "dan"))),
            SignatureResult.UNCONFIRMED,
        ),
        (review(Account("4", "dan"), ReviewState.CHANGES_REQUESTED), SignatureResult.FORGE),
        (review(Account("5", "dan"), ReviewState.CHANGES_REQUESTED), SignatureResult.UNCONFIRMED),  # may not write
        (review(Account("4", "dan", machine=True)), SignatureResult.UNKNOWN_PERSON),
    ],
)
def test_account_with_unconfirmed_link_can_only_block(given: Review, signature: SignatureResult) -> None:
    dan = structs.replace(person("dan"), unconfirmed=("login:hub/dan",))
    people = structs.replace(AMONG, persons=(*AMONG.persons, dan))
    accounts, writers = Accounts("hub", people), {**WRITERS, "4": True}
    (found,) = make_statements("shop", CHANGE, [given], (), writers, accounts, lambda commit: "tree")
    assert (found.ref_person, found.signature) == ("dan", signature)
