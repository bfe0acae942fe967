"""Approvers and mergers act against the rules, at each kind of forge: nobody approves what they took part in, and no
approval counts for what it was not given for.
"""

import contextlib

import pytest

from muniment.server.connections.models import BranchUpdate
from muniment.server.incidents.models import Incident
from muniment.server.people.models import Account, Person
from tests.support.forge_setup import MAIN, ForgeSetup
from tests.support.forges.acting import Refused
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")

GOOD, MORE = {"app.py": "x = 1\n"}, {"app.py": "x = 666\n"}


def read_status(setup: ForgeSetup, number: int) -> str:
    """Evaluate a change; the status on its head."""
    setup.fake.written()
    setup.evaluate(number)
    return setup.get_status(setup.load_change(number).head)


def open_approved_change(setup: ForgeSetup, branch: str = "topic", *people: str) -> int:
    number = setup.open_change(GOOD, branch)
    for name in people or ("bob", "carol"):
        setup.acting.approve(name, number)
    assert read_status(setup, number) == "success"
    return number


def link_account(setup: ForgeSetup, login: str, slug: str) -> None:
    """Link one more account to a person, and give it write access."""
    setup.set_level(login, "write")
    value = f"forge/{setup.acting.login(login)}"
    with as_role("owner"):
        owner = Person.objects.get(slug=slug)
        Account.objects.create(person=owner, kind="login", value=value, verification="published-key")


def read_outcome(setup: ForgeSetup, ref: str = MAIN) -> tuple[str, str]:
    """Outcome and reason of the newest update of a branch."""
    setup.fake.written()
    setup.read_updates()
    row = BranchUpdate.objects.filter(ref=ref).latest("pk")
    return row.outcome, row.bypass_reason


# Approvers who took part


def test_refuses_approver_who_pushed_a_commit_and_took_it_back(any_setup: ForgeSetup) -> None:
    number = open_approved_change(any_setup)
    head = any_setup.load_change(number).head
    any_setup.work.push("carol", any_setup.work.commit("carol", MORE, head), "topic")
    any_setup.work.push("carol", head, "topic", force=True)
    any_setup.acting.approve("bob", number)
    any_setup.acting.approve("carol", number)
    assert read_status(any_setup, number) == "failure"


def test_refuses_approver_whose_commit_an_author_squashed_into_theirs(any_setup: ForgeSetup) -> None:
    number = any_setup.open_change(GOOD)
    any_setup.evaluate(number)
    head = any_setup.load_change(number).head
    any_setup.work.push("carol", any_setup.work.commit("carol", MORE, head), "topic")
    any_setup.work.push("ada", any_setup.work.commit("ada", MORE, any_setup.work.tip("main")), "topic", force=True)
    for name in ("bob", "carol"):
        any_setup.acting.approve(name, number)
    assert read_status(any_setup, number) == "failure"


def test_refuses_approver_named_as_co_author(setup: ForgeSetup) -> None:
    message = f"change\n\nCo-authored-by: {setup.work.who('carol')}\n"
    made = setup.work.commit("ada", GOOD, setup.work.tip("main"), message=message)
    setup.work.push("ada", made, "topic")
    number = setup.acting.open("ada", "topic", "main", "Change")
    for name in ("bob", "carol"):
        setup.acting.approve(name, number)
    assert read_status(setup, number) == "failure"
    setup.acting.approve("dave", number)
    assert read_status(setup, number) == "success"


def test_refuses_approval_by_opener_of_another_persons_commits(any_setup: ForgeSetup) -> None:
    any_setup.work.push("ada", any_setup.work.commit("ada", GOOD, any_setup.work.tip("main")), "topic")
    number = any_setup.acting.open("carol", "topic", "main", "Change")
    any_setup.acting.approve("bob", number)
    with contextlib.suppress(Refused):  # some forges refuse it
        any_setup.acting.approve("carol", number)
    assert read_status(any_setup, number) == "failure"


# Two accounts of one person


def test_counts_two_accounts_of_one_person_once(setup: ForgeSetup) -> None:
    link_account(setup, "eve", "bob")
    number = setup.open_change(GOOD)
    for name in ("bob", "eve"):
        setup.acting.approve(name, number)
    assert read_status(setup, number) == "failure"
    setup.acting.approve("carol", number)
    assert read_status(setup, number) == "success"


def test_refuses_approval_by_second_account_of_the_author(setup: ForgeSetup) -> None:
    link_account(setup, "eve", "ada")
    number = setup.open_change(GOOD)
    for name in ("bob", "eve"):
        setup.acting.approve(name, number)
    assert read_status(setup, number) == "failure"


def test_request_for_changes_stands_beside_approval_by_second_account_without_access(setup: ForgeSetup) -> None:
    link_account(setup, "eve", "dave")
    number = open_approved_change(setup)
    setup.acting.reject("dave", number)
    assert read_status(setup, number) == "failure"
    setup.set_level("eve", "read")
    setup.acting.approve("eve", number)
    assert read_status(setup, number) == "failure"


def test_request_for_changes_stands_after_retarget_and_approval_without_access(any_setup: ForgeSetup) -> None:
    link_account(any_setup, "eve", "dave")
    any_setup.work.push("ada", any_setup.work.tip("main"), "other")
    number = any_setup.open_change(GOOD, target="other")
    any_setup.acting.reject("dave", number)
    any_setup.acting.retarget("ada", number, "main")
    any_setup.set_level("eve", "read")
    any_setup.acting.approve("eve", number)
    for name in ("bob", "carol"):
        any_setup.acting.approve(name, number)
    assert read_status(any_setup, number) == "failure"


def test_accounts_of_one_person_that_each_lost_something_approve_nothing(setup: ForgeSetup) -> None:
    link_account(setup, "eve", "carol")
    number = open_approved_change(setup)
    setup.set_level("carol", "read")
    assert read_status(setup, number) == "failure"
    setup.acting.approve("eve", number)
    assert read_status(setup, number) == "success"
    setup.set_level("eve", "read")
    assert read_status(setup, number) == "failure"


# What an approval was given for


def test_retarget_and_back_ends_approvals_until_they_are_given_again(any_setup: ForgeSetup) -> None:
    any_setup.work.push("ada", any_setup.work.tip("main"), "other")
    number = open_approved_change(any_setup)
    any_setup.acting.retarget("ada", number, "other")
    any_setup.acting.retarget("ada", number, "main")
    assert read_status(any_setup, number) == "failure"
    for name in ("bob", "carol"):
        any_setup.acting.approve(name, number)
    assert read_status(any_setup, number) == "success"


def test_change_approved_for_unprotected_branch_is_denied_for_main(setup: ForgeSetup) -> None:
    setup.work.push("ada", setup.work.tip("main"), "other")
    number = setup.open_change(GOOD, target="other")
    for name in ("bob", "carol"):
        setup.acting.approve(name, number)
    setup.acting.retarget("ada", number, "main")
    assert read_status(setup, number) == "failure"


def test_approvals_of_one_change_count_for_no_other_of_the_same_head(setup: ForgeSetup) -> None:
    open_approved_change(setup)
    setup.work.push("ada", setup.work.tip("topic"), "again")
    number = setup.acting.open("ada", "again", "main", "Again")
    setup.evaluate(number)
    rows = [row for row in BranchUpdate.objects.filter(ref=MAIN) if row.outcome == "bypass"]
    assert (setup.load_change(number).decision.allowed, rows) == (False, [])  # type: ignore[union-attr]


def test_approval_of_an_earlier_head_counts_not_for_a_later_one(setup: ForgeSetup) -> None:
    number = open_approved_change(setup)
    head = setup.load_change(number).head
    setup.work.push("ada", setup.work.commit("ada", MORE, head), "topic")
    assert read_status(setup, number) == "failure"


def test_approval_is_not_revived_by_the_end_of_a_later_request_for_changes(any_setup: ForgeSetup) -> None:
    number = open_approved_change(any_setup)
    any_setup.acting.reject("carol", number)
    assert read_status(any_setup, number) == "failure"
    any_setup.acting.dismiss("muniment", number, "carol")
    assert read_status(any_setup, number) == "failure"


def test_approver_who_lost_access_counts_again_with_it(any_setup: ForgeSetup) -> None:
    number = open_approved_change(any_setup)
    any_setup.set_level("carol", "read")
    assert read_status(any_setup, number) == "failure"
    any_setup.set_level("carol", "write")
    assert read_status(any_setup, number) == "success"


# Mergers


@pytest.mark.parametrize("method", ["merge", "squash"])
def test_merge_by_whoever_may_merge_is_no_bypass(any_setup: ForgeSetup, method: str) -> None:
    for number, merger in enumerate(("carol", "ada", "dave"), 1):
        open_approved_change(any_setup, f"topic{number}") if number == 1 else _open_next(any_setup, f"topic{number}")
        any_setup.acting.merge(merger, number, method)
        assert read_outcome(any_setup) == ("allowed", "")
    assert not Incident.objects.exists()


def _open_next(setup: ForgeSetup, branch: str) -> None:
    number = setup.open_change({f"{branch}.py": "y = 1\n"}, branch)
    for name in ("bob", "carol"):
        setup.acting.approve(name, number)
    assert read_status(setup, number) == "success"


def test_merge_made_by_hand_with_other_content_is_a_bypass(setup: ForgeSetup) -> None:
    number = open_approved_change(setup)
    head, tip = setup.load_change(number).head, setup.work.tip("main")
    made = setup.work.repo.commit(MORE, on="", parents=[tip, head], author=setup.work.who("carol"))
    setup.work.push("carol", made, "main")
    assert read_outcome(setup)[0] == "bypass"


def test_push_of_the_approved_head_by_an_approver_is_no_bypass(setup: ForgeSetup) -> None:
    number = open_approved_change(setup)
    setup.work.push("carol", setup.load_change(number).head, "main")
    assert read_outcome(setup) == ("allowed", "")


def test_push_of_the_approved_head_and_one_commit_more_is_a_bypass(setup: ForgeSetup) -> None:
    number = open_approved_change(setup)
    setup.work.push("bob", setup.work.commit("bob", MORE, setup.load_change(number).head), "main")
    assert read_outcome(setup)[0] == "bypass"


def test_merge_of_a_head_that_came_after_the_approvals_is_a_bypass(any_setup: ForgeSetup) -> None:
    number = open_approved_change(any_setup)
    any_setup.work.push("ada", any_setup.work.commit("ada", MORE, any_setup.load_change(number).head), "topic")
    any_setup.acting.merge("bob", number, "squash")
    assert read_outcome(any_setup)[0] == "bypass"


def test_merge_after_retarget_and_back_is_a_bypass(any_setup: ForgeSetup) -> None:
    any_setup.work.push("ada", any_setup.work.tip("main"), "other")
    number = open_approved_change(any_setup)
    any_setup.acting.retarget("ada", number, "other")
    any_setup.acting.retarget("ada", number, "main")
    any_setup.acting.merge("bob", number, "squash")
    assert read_outcome(any_setup) == ("bypass", "denied-at-merge")


def test_merge_after_changes_were_requested_is_a_bypass(any_setup: ForgeSetup) -> None:
    number = open_approved_change(any_setup)
    any_setup.acting.reject("dave", number)
    any_setup.acting.merge("bob", number, "merge")
    assert read_outcome(any_setup) == ("bypass", "denied-at-merge")


# The base moves


def test_status_turns_red_after_the_base_was_rewound(any_setup: ForgeSetup) -> None:
    before = any_setup.work.tip("main")
    any_setup.work.push("bob", any_setup.work.commit("bob", {"other.py": "y = 1\n"}, before), "main")
    any_setup.fake.written()
    any_setup.read_updates()
    number = open_approved_change(any_setup)
    any_setup.work.push("ada", before, "main", force=True)
    any_setup.fake.written()
    any_setup.read_updates()
    any_setup.run_queue()
    assert any_setup.get_status(any_setup.load_change(number).head) == "failure"


def test_merge_after_the_base_was_rewound_is_a_bypass(any_setup: ForgeSetup) -> None:
    before = any_setup.work.tip("main")
    any_setup.work.push("bob", any_setup.work.commit("bob", {"other.py": "y = 1\n"}, before), "main")
    any_setup.read_updates()
    number = open_approved_change(any_setup)
    any_setup.work.push("ada", before, "main", force=True)
    assert read_outcome(any_setup)[0] == "bypass"
    any_setup.acting.merge("carol", number, "merge")
    assert read_outcome(any_setup)[0] == "bypass"


def test_approvals_hold_while_the_base_moves_on(setup: ForgeSetup) -> None:
    number = open_approved_change(setup)
    setup.work.push("bob", setup.work.commit("bob", {"other.py": "y = 1\n"}, setup.work.tip("main")), "main")
    assert read_outcome(setup)[0] == "bypass"
    assert read_status(setup, number) == "success"
