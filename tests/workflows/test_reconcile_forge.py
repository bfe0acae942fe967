"""Reconciliation: each difference to the last reading or status is found, and unchanged items are not."""

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec import structs

from muniment.forges.shapes import Account, Change, ChangeState, Check, ForgeRepository
from muniment.forges.statuses import Status, StatusState
from muniment.workflows.forge_reconciliation import (
    ForgedStatus,
    KnownChange,
    compare_posted_statuses,
    find_missed_changes,
)

OURS, OTHER = Account("1", "muniment"), Account("2", "eve")
REPO = ForgeRepository("5", "org/shop", "main", "https://forge.test/org/shop.git", "https://forge.test/org/shop")
HEAD, MAIN, FREE = "a" * 40, "refs/heads/main", "refs/heads/free"
AS_READ = KnownChange("1", HEAD, MAIN, owed=False)


def change(number: int, **other: Any) -> Change:
    made = Change(
        number, "", "", ChangeState.OPEN, False, OTHER, MAIN, "b" * 40, "topic", "org/shop", HEAD, (), "0", "1", ""
    )
    return structs.replace(made, **other)


class ListingReader:
    """A reader that lists given open changes."""

    def __init__(self, *open_ones: Change) -> None:
        self._open = open_ones

    def list_changes(self, repository: ForgeRepository, state: ChangeState, since: str = "") -> tuple[Change, ...]:
        assert (repository, state, since) == (REPO, ChangeState.OPEN, "")
        return self._open


def found(stored: Mapping[int, KnownChange], *open_ones: Change) -> tuple[int, ...]:
    reader: Any = ListingReader(*open_ones)
    return find_missed_changes(reader, REPO, stored, lambda ref: ref != FREE)


def test_unchanged_change_is_not_reported_missed() -> None:
    assert found({1: AS_READ}, change(1)) == ()


@pytest.mark.parametrize("other", [{"updated": "2"}, {"head": "c" * 40}, {"target": "refs/heads/next"}])
def test_changed_change_is_reported_missed(other: dict[str, str]) -> None:
    assert found({1: AS_READ, 2: AS_READ}, change(1, **other), change(2)) == (1,)


def test_pending_new_and_deleted_changes_are_reported_missed() -> None:
    content = {1: structs.replace(AS_READ, owed=True), 2: AS_READ, 4: AS_READ}
    assert found(content, change(1), change(2), change(3)) == (1, 3, 4)


def test_change_for_unprotected_branch_is_missed_only_while_it_has_status() -> None:
    assert found({}, change(1, target=FREE)) == ()
    assert found({1: AS_READ}, change(1, target=FREE)) == (1,)
    assert find_missed_changes(ListingReader(change(1, target=FREE)), REPO, {}) == (1,)  # type: ignore[arg-type]


class ExpectedStatus:
    """Expected status for every head and context, or none."""

    def __init__(self, saying: StatusState | None) -> None:
        self._saying = saying

    def shown_status(self, head: str, context: str) -> Status | None:
        assert head == HEAD
        return Status(context, self._saying, "", "") if self._saying is not None else None


def check(state: str, by: Account = OURS, context: str = "muniment/main") -> Check:
    return Check(context, state, by, "", "", "1")


PLACE = (HEAD, "muniment/main")
SHOWN = [
    (StatusState.ALLOWED, "success"),
    (StatusState.PENDING, "pending"),
    (StatusState.DENIED, "failure"),
    (StatusState.DENIED, "error"),
]


@pytest.mark.parametrize(("saying", "state"), SHOWN)
def test_expected_status_is_not_reposted(saying: StatusState, state: str) -> None:
    others = [check("success", OTHER, "ci/tests")]  # in a place of their own
    assert compare_posted_statuses([check(state), *others], HEAD, ["muniment/main"], ExpectedStatus(saying), OURS) == (
        (),
        (),
    )


@pytest.mark.parametrize(
    ("believed", "posted"),
    [
        (StatusState.DENIED, [check("success")]),
        (StatusState.ALLOWED, [check("failure")]),
        (StatusState.ALLOWED, []),
        (StatusState.ALLOWED, [check("success"), check("success")]),
        (StatusState.ALLOWED, [check("success"), check("failure")]),
        (None, [check("success")]),
        (None, []),
    ],
)
def test_unexpected_status_is_reposted(believed: StatusState | None, posted: list[Check]) -> None:
    assert compare_posted_statuses(posted, HEAD, ["muniment/main"], ExpectedStatus(believed), OURS) == ((PLACE,), ())


def test_status_by_other_account_is_forged_and_reposted() -> None:
    posted = [check("success", OTHER)]
    forged = (ForgedStatus(HEAD, "muniment/main", OTHER),)
    assert compare_posted_statuses(posted, HEAD, ["muniment/main"], ExpectedStatus(StatusState.ALLOWED), OURS) == (
        (PLACE,),
        forged,
    )


def test_no_status_is_ours_while_our_account_is_unknown() -> None:
    nobody = Account("", "")
    posted = [check("success", nobody)]
    lost, forged = compare_posted_statuses(posted, HEAD, ["muniment/main"], ExpectedStatus(StatusState.ALLOWED), nobody)
    assert (lost, [one.by for one in forged]) == ((PLACE,), [nobody])
