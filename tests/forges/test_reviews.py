"""A forge's reviews as statements: what each says about approving, blocking and taking back, one case a line."""

from typing import Any

import pytest
from msgspec import structs

from muniment.errors import ForgeError
from muniment.facts.maybe import Known, Unknown
from muniment.facts.people import People
from muniment.facts.statements import Approval, ReviewAction, Signature
from muniment.forges.accounts import Accounts
from muniment.forges.reviews import end_by_retarget, last_retarget, statements, together
from muniment.forges.shapes import Account, Change, Retarget, Review, Said, State
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
    state=State.OPEN,
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


def review(by: Account = BOB, said: Said = Said.APPROVED, minute: int = 10, **more: Any) -> Review:
    return Review(str(minute), by, said, more.pop("commit", HEAD), at(minute), **more)


def said(*given: Review, retargets: tuple[Retarget, ...] = (), writers: Any = None) -> list[Approval]:
    found = statements(
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
    ("given", "signature", "verdict"),
    [
        (review(), Signature.FORGE, ReviewAction.APPROVE),
        (review(BOBS_OTHER), Signature.FORGE, ReviewAction.APPROVE),
        (review(BOT), Signature.MACHINE, ReviewAction.APPROVE),
        (review(MACHINE), Signature.MACHINE, ReviewAction.APPROVE),
        (review(Account("77", "stranger")), Signature.UNKNOWN_PERSON, ReviewAction.APPROVE),
        (review(**DISMISSED, dismissed_by=Known(CAROL)), Signature.FORGE, ReviewAction.WITHDRAW),
        (review(**DISMISSED), Signature.FORGE, ReviewAction.WITHDRAW),
        (review(asked_again=at(30)), Signature.FORGE, ReviewAction.WITHDRAW),
        (review(said=Said.CHANGES_REQUESTED), Signature.FORGE, ReviewAction.REQUEST_CHANGES),
        (
            review(said=Said.CHANGES_REQUESTED, **DISMISSED, dismissed_by=Known(CAROL)),
            Signature.FORGE,
            ReviewAction.REQUEST_CHANGES,
        ),
        (review(said=Said.CHANGES_REQUESTED, **DISMISSED), Signature.FORGE, ReviewAction.REQUEST_CHANGES),
        (review(said=Said.CHANGES_REQUESTED, asked_again=at(30)), Signature.FORGE, ReviewAction.REQUEST_CHANGES),
        (
            review(said=Said.CHANGES_REQUESTED, **DISMISSED, dismissed_by=Known(BOBS_OTHER)),
            Signature.FORGE,
            ReviewAction.WITHDRAW,
        ),
        (
            review(Account("77", "x"), Said.CHANGES_REQUESTED, **DISMISSED, dismissed_by=Known(Account("78", "y"))),
            Signature.UNKNOWN_PERSON,
            ReviewAction.REQUEST_CHANGES,
        ),
    ],
)
def test_what_one_review_says(given: Review, signature: Signature, verdict: ReviewAction) -> None:
    (found,) = said(given)
    assert (found.signature, found.action) == (signature, verdict)
    assert (found.ref_head, found.head, found.tree) == (HEAD, HEAD, "tree-a")


@pytest.mark.parametrize("writers", [{}, {"2": False}])
def test_one_who_may_not_write_or_of_whom_it_is_not_known_says_nothing_that_counts(writers: dict[str, bool]) -> None:
    (found,) = said(review(), writers=writers)
    assert found.signature is Signature.MAY_NOT_WRITE


def test_an_approval_that_ended_does_not_lift_what_was_asked_for_after_it() -> None:
    ended, asked = said(
        review(minute=10, dismissed=True, dismissed_by=Known(CAROL), dismissed_at=at(30)),
        review(said=Said.CHANGES_REQUESTED, minute=20),
    )
    assert ended.action is ReviewAction.WITHDRAW
    assert ended.time < asked.time


def test_an_approval_is_for_the_branch_at_its_moment() -> None:
    away = Retarget("refs/heads/old", MAIN, Unknown("who"), at(20))
    found = said(review(minute=10), review(minute=20), review(minute=30), retargets=(away,))
    assert [one.target for one in found] == ["refs/heads/old", "refs/heads/old", MAIN]


def test_a_target_that_does_not_fit_its_history_is_no_answer() -> None:
    with pytest.raises(ForgeError, match="last pointed at"):
        said(review(), retargets=(Retarget(MAIN, "refs/heads/old", Unknown("who"), at(20)),))


def test_statements_of_both_ways_are_in_one_order_and_a_signed_chain_in_its_own() -> None:
    signed = [
        Approval(HEAD, "bob", "s1", 0, Signature.VALID, time=at(40)),
        Approval(HEAD, "bob", "s2", 1, Signature.VALID, time=at(5)),  # dated back, but signed after
    ]
    both = together(signed, said(review(minute=10)))
    assert [one.id for one in both] == ["10", "s1", "s2"]
    assert [one.order for one in both] == [0, 1, 2]


AWAY_AND_BACK = (
    Retarget(MAIN, "refs/heads/old", Unknown("who"), at(20)),
    Retarget("refs/heads/old", MAIN, Unknown("who"), at(25)),
)


def test_an_approval_ends_when_the_change_is_pointed_away_and_back() -> None:
    found = said(review(minute=10), review(minute=22), review(minute=25), review(minute=30), retargets=AWAY_AND_BACK)
    assert [one.retargeted for one in found] == [True, True, True, False]


def test_a_signed_approval_ends_when_the_change_is_pointed_away_and_back() -> None:
    signed = [Approval(HEAD, "bob", f"s{minute}", 0, Signature.VALID, time=at(minute)) for minute in (10, 30)]
    assert [one.retargeted for one in end_by_retarget(signed, last_retarget(AWAY_AND_BACK))] == [True, False]
    assert [one.retargeted for one in end_by_retarget(signed, last_retarget(()))] == [False, False]


def test_changes_requested_are_not_lifted_by_pointing_the_change_elsewhere() -> None:
    away = (Retarget("refs/heads/old", MAIN, Unknown("who"), at(20)),)
    requested, approved = said(review(said=Said.CHANGES_REQUESTED), review(CAROL, minute=11), retargets=away)
    assert (requested.target, approved.target) == (MAIN, "refs/heads/old")
    lifted, _ = said(review(said=Said.CHANGES_REQUESTED), review(BOBS_OTHER, minute=11), retargets=away)
    assert lifted.target == "refs/heads/old"


@pytest.mark.parametrize(
    ("given", "signature"),
    [
        (review(Account("4", "dan")), Signature.UNCONFIRMED),
        (review(Account("4", "dan"), **DISMISSED, dismissed_by=Known(Account("4", "dan"))), Signature.UNCONFIRMED),
        (review(Account("4", "dan"), Said.CHANGES_REQUESTED), Signature.FORGE),
        (review(Account("5", "dan"), Said.CHANGES_REQUESTED), Signature.UNCONFIRMED),  # may not write
        (review(Account("4", "dan", machine=True)), Signature.UNKNOWN_PERSON),
    ],
)
def test_an_account_whose_link_waits_can_block_and_has_no_other_effect(given: Review, signature: Signature) -> None:
    dan = structs.replace(person("dan"), unconfirmed=("login:hub/dan",))
    people = structs.replace(AMONG, persons=(*AMONG.persons, dan))
    accounts, writers = Accounts("hub", people), {**WRITERS, "4": True}
    (found,) = statements("shop", CHANGE, [given], (), writers, accounts, lambda commit: "tree")
    assert (found.ref_person, found.signature) == ("dan", signature)
