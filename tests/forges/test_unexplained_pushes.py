"""Pushes that no listed push explains, and the refs of changes."""

import pytest

from muniment.facts.maybe import Known, Unknown
from muniment.forges.first_pushes import FirstPush
from muniment.forges.shapes import Account, Move
from muniment.forges.unexplained_pushes import (
    BranchPushes,
    ChangeRefs,
    PushObservation,
    list_starting_points,
    select_unexplained,
)

ADA, BOB = Known(Account("1", "ada")), Known(Account("2", "bob"))
TOPIC, OTHER = "refs/heads/topic", "refs/heads/other"


def push(new: str, who: Known[Account] | Unknown = ADA, ref: str = TOPIC, old: str = "") -> Move:
    return Move(old, new, (), False, who, "t", ref)


def is_explained(observed: PushObservation, *pushes: Move) -> bool:
    return not select_unexplained([observed], pushes, {"tag": "c"})


def test_push_to_same_ref_and_commit_explains() -> None:
    assert is_explained(PushObservation(TOPIC, "c"), push("c"))
    assert is_explained(PushObservation(TOPIC, "c"), push("tag")), "an annotated tag brings the commit that it names"
    assert not is_explained(PushObservation(TOPIC, "c"), push("d"))
    assert not is_explained(PushObservation(TOPIC, "c"), push("c", ref=OTHER))
    assert not is_explained(PushObservation(TOPIC, "c"))


def test_delivery_is_explained_by_its_own_account_alone() -> None:
    assert is_explained(PushObservation(TOPIC, "c", "1"), push("c"))
    assert not is_explained(PushObservation(TOPIC, "c", "2"), push("c"))
    assert is_explained(PushObservation(TOPIC, "c", "2"), push("c"), push("c", BOB))
    assert is_explained(PushObservation(TOPIC, "c", "2"), push("c", Unknown("deleted")))


def test_starts_of_pushes_are_observed() -> None:
    assert list_starting_points([push("c"), push("d", old="c"), push("", ref="", old="c")]) == (
        PushObservation(TOPIC, "c"),
    )


@pytest.mark.parametrize(
    ("ref", "number"),
    [("refs/pull/12/head", 12), ("refs/pull/12/merge", 0), ("refs/pull/x/head", 0), ("refs/heads/12/head", 0)],
)
def test_number_is_read_from_refs_of_changes_alone(ref: str, number: int) -> None:
    assert ChangeRefs("refs/pull/1/head").parse_number(ref) == number
    assert ChangeRefs("refs/pull/1/head").ref_folder == "refs/pull/"


def test_branch_made_from_pushed_commit_needs_no_push_of_its_own() -> None:
    begun = Move("", "", (), False, BOB, "5", OTHER)
    assert BranchPushes(OTHER, (push("c", ref=OTHER),)).brings_commit("c", {})
    assert BranchPushes(OTHER, (begun,)).brings_commit("c", {"c": FirstPush(ADA, "4")})
    assert not BranchPushes(OTHER, (begun,)).brings_commit("c", {"c": FirstPush(ADA, "5")}), "one moment has no order"
    assert not BranchPushes(OTHER, (begun,)).brings_commit("c", {"c": FirstPush(ADA, "6")}), (
        "perhaps the branch had it first"
    )
    assert not BranchPushes(OTHER, (begun,)).brings_commit("c", {"c": FirstPush(Unknown("hidden"), "4")})
    assert not BranchPushes(OTHER, (begun,)).brings_commit("c", {})
    assert not BranchPushes(OTHER, ()).brings_commit("c", {"c": FirstPush(ADA, "4")})
    assert not BranchPushes(TOPIC, (begun,)).brings_commit("c", {"c": FirstPush(ADA, "4")})
