"""What a pass finds: each difference to what was read or shown last, and nothing that is as it was."""

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec import structs

from muniment.forges.shapes import Account, Change, Check, Repo, State
from muniment.forges.statuses import Saying, Status
from muniment.workflows.reconcile_forge import Forged, Kept, missed, statuses

OURS, OTHER = Account("1", "muniment"), Account("2", "eve")
REPO = Repo("5", "org/shop", "main", "https://forge.test/org/shop.git", "https://forge.test/org/shop")
HEAD, MAIN, FREE = "a" * 40, "refs/heads/main", "refs/heads/free"
AS_READ = Kept("1", HEAD, MAIN, owed=False)


def change(number: int, **other: Any) -> Change:
    made = Change(number, "", "", State.OPEN, False, OTHER, MAIN, "b" * 40, "topic", "org/shop", HEAD, (), "0", "1", "")
    return structs.replace(made, **other)


class Lists:
    """A reader that lists some open changes."""

    def __init__(self, *open_ones: Change) -> None:
        self._open = open_ones

    def changes(self, repository: Repo, state: State, since: str = "") -> tuple[Change, ...]:
        assert (repository, state, since) == (REPO, State.OPEN, "")
        return self._open


def found(kept: Mapping[int, Kept], *open_ones: Change) -> tuple[int, ...]:
    reader: Any = Lists(*open_ones)
    return missed(reader, REPO, kept, lambda ref: ref != FREE)


def test_what_is_as_it_was_read_is_not_missed() -> None:
    assert found({1: AS_READ}, change(1)) == ()


@pytest.mark.parametrize("other", [{"updated": "2"}, {"head": "c" * 40}, {"target": "refs/heads/next"}])
def test_what_is_other_than_it_was_read_is_missed(other: dict[str, str]) -> None:
    assert found({1: AS_READ, 2: AS_READ}, change(1, **other), change(2)) == (1,)


def test_what_is_owed_new_or_gone_is_missed() -> None:
    kept = {1: structs.replace(AS_READ, owed=True), 2: AS_READ, 4: AS_READ}
    assert found(kept, change(1), change(2), change(3)) == (1, 3, 4)


def test_a_change_for_a_branch_that_nobody_judges_is_missed_only_while_something_stands_for_it() -> None:
    assert found({}, change(1, target=FREE)) == ()
    assert found({1: AS_READ}, change(1, target=FREE)) == (1,)
    assert missed(Lists(change(1, target=FREE)), REPO, {}) == (1,)  # type: ignore[arg-type]


class Believed:
    """What we believe that is shown: one saying everywhere, or nothing."""

    def __init__(self, saying: Saying | None) -> None:
        self._saying = saying

    def shown(self, head: str, context: str) -> Status | None:
        assert head == HEAD
        return Status(context, self._saying, "", "") if self._saying is not None else None


def check(state: str, by: Account = OURS, context: str = "muniment/main") -> Check:
    return Check(context, state, by, "", "", "1")


PLACE = (HEAD, "muniment/main")
SHOWN = [
    (Saying.ALLOWED, "success"),
    (Saying.PENDING, "pending"),
    (Saying.DENIED, "failure"),
    (Saying.DENIED, "error"),
]


@pytest.mark.parametrize(("saying", "state"), SHOWN)
def test_a_status_that_is_shown_as_believed_is_left_alone(saying: Saying, state: str) -> None:
    others = [check("success", OTHER, "ci/tests")]  # in a place of their own
    assert statuses([check(state), *others], HEAD, ["muniment/main"], Believed(saying), OURS) == ((), ())


@pytest.mark.parametrize(
    ("believed", "posted"),
    [
        (Saying.DENIED, [check("success")]),
        (Saying.ALLOWED, [check("failure")]),
        (Saying.ALLOWED, []),
        (Saying.ALLOWED, [check("success"), check("success")]),
        (Saying.ALLOWED, [check("success"), check("failure")]),
        (None, [check("success")]),
        (None, []),
    ],
)
def test_a_status_that_is_not_as_believed_is_shown_again(believed: Saying | None, posted: list[Check]) -> None:
    assert statuses(posted, HEAD, ["muniment/main"], Believed(believed), OURS) == ((PLACE,), ())


def test_what_another_posted_in_our_name_is_forged_and_shown_again() -> None:
    posted = [check("success", OTHER)]
    forged = (Forged(HEAD, "muniment/main", OTHER),)
    assert statuses(posted, HEAD, ["muniment/main"], Believed(Saying.ALLOWED), OURS) == ((PLACE,), forged)


def test_while_our_account_is_unknown_nothing_is_ours() -> None:
    nobody = Account("", "")
    posted = [check("success", nobody)]
    lost, forged = statuses(posted, HEAD, ["muniment/main"], Believed(Saying.ALLOWED), nobody)
    assert (lost, [one.by for one in forged]) == ((PLACE,), [nobody])
