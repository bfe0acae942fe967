"""Watch of branches: no act on one branch hides an update of another, and contributors of a bypass are found."""

from typing import Any

import pytest

from muniment.access.roles import Role
from muniment.errors import ForgeError, GitError
from muniment.git.repository import Repository
from muniment.server.connections import tasks, watched_branches
from muniment.server.connections.models import BranchUpdate, ProtectedBranch
from muniment.server.incidents.models import Incident
from muniment.server.people.models import Person
from muniment.server.policies import policy_in_force
from muniment.workflows.branch_steps import BranchStep, find_branch_steps
from tests.support.forge_setup import MAIN, ForgeSetup
from tests.support.forges.faulty import Fault
from tests.support.service import as_role, browser, person, post

pytestmark = pytest.mark.usefixtures("service")


def push(setup: ForgeSetup, branch: str = "main", text: str = "x = 666\n") -> str:
    made = setup.work.commit("ada", {"app.py": text}, setup.work.tip("main"))
    setup.work.push("ada", made, branch)
    return made


def test_each_rewind_and_repeated_push_counts_as_a_bypass(setup: ForgeSetup) -> None:
    before = setup.work.tip("main")
    made = push(setup)
    setup.read_updates()
    for tip in (before, made, before, made):
        setup.work.push("ada", tip, "main", force=True)
        setup.read_updates()
        assert ProtectedBranch.objects.get(ref=MAIN).tip == tip
    assert BranchUpdate.objects.filter(outcome="bypass").count() == 5


def create_watched_branch(setup: ForgeSetup, branch: str) -> str:
    """Create a second watched branch at the tip of main; its tip."""
    tip = setup.work.tip("main")
    setup.work.push("ada", tip, branch)
    with as_role("worker"):
        ProtectedBranch.objects.create(repository=setup.repository, ref=f"refs/heads/{branch}", tip=tip)
    return tip


def test_unreadable_branch_hides_no_update_of_another(setup: ForgeSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    tip, text = create_watched_branch(setup, "hotfix"), find_branch_steps

    def failing(git: Repository, ref: str, *more: Any) -> tuple[BranchStep, ...]:
        if ref == "refs/heads/hotfix":
            raise GitError("git took too long", "Look at it.")
        return text(git, ref, *more)

    monkeypatch.setattr(watched_branches, "find_branch_steps", failing)
    push(setup, "hotfix")
    push(setup)
    with pytest.raises(GitError, match="too long"):
        setup.read_updates()
    assert BranchUpdate.objects.get(outcome="bypass").ref == MAIN
    assert ProtectedBranch.objects.get(ref="refs/heads/hotfix").tip == tip


@pytest.mark.parametrize("name", ["/".join(["a" * 150] * 3), "a\N{NO-BREAK SPACE}b"])
def test_branch_with_unsupported_name_hides_no_update_of_another(
    setup: ForgeSetup, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(policy_in_force, "protected_patterns", lambda: ("**",))
    monkeypatch.setattr(watched_branches, "matches_any", lambda branch, patterns: True)
    setup.work.push("ada", setup.work.tip("main"), name)
    push(setup)
    with pytest.raises(GitError, match="a branch with such a name is not watched"):
        setup.read_updates()
    assert BranchUpdate.objects.get(outcome="bypass").ref == MAIN


def test_concurrent_passes_record_an_update_once(setup: ForgeSetup, monkeypatch: pytest.MonkeyPatch) -> None:
    text, again = watched_branches.find_allowed_heads, [setup.read_updates]

    def overtaken(*about: Any) -> Any:
        while again:
            again.pop()()
        return text(*about)

    push(setup)
    monkeypatch.setattr(watched_branches, "find_allowed_heads", overtaken)
    setup.read_updates()
    assert BranchUpdate.objects.filter(outcome="bypass").count() == 1


def push_bypass(setup: ForgeSetup, who: str = "dave") -> BranchUpdate:
    """Push a commit of ada's as `who` without a decision."""
    made = setup.work.commit("ada", {"app.py": "x = 666\n"}, setup.work.tip("main"))
    setup.work.push(who, made, "main")
    setup.read_updates()
    return BranchUpdate.objects.get(outcome="bypass")


def review(setup: ForgeSetup, row: BranchUpdate, *names: str) -> str:
    """Review a bypass as each of these people; the resolution of its incident, "" while it is open."""
    for name in names:
        assert "Your review is recorded." in post(
            browser(Person.objects.get(slug=name)), f"/branch-updates/{row.pk}/review", reason="Read."
        )
    setup.run_queue()
    return Incident.objects.get().resolution


def test_pusher_of_a_commit_by_another_is_a_contributor(setup: ForgeSetup) -> None:
    row = push_bypass(setup)
    assert (row.contributors, row.unlinked_contributor_count, row.pusher_known) == (["ada", "dave"], 0, True)
    assert row.incident is not None
    assert row.incident.involved_people == ["ada", "dave"]
    dave = browser(Person.objects.get(slug="dave"))
    assert "You contributed to it" in post(dave, f"/branch-updates/{row.pk}/review", reason="It is fine.")
    assert review(setup, row, "bob") == ""
    assert review(setup, row, "carol") == "bypass-reviewed"


def test_unlinked_pusher_counts_as_unlinked_contributor(setup: ForgeSetup) -> None:
    with as_role("owner"):
        Person.objects.get(slug="dave").accounts.filter(kind="login").delete()
    row = push_bypass(setup)
    assert (row.contributors, row.unlinked_contributor_count, row.pusher_known) == (["ada"], 1, True)


def test_requester_named_in_a_commit_is_a_contributor(setup: ForgeSetup) -> None:
    asked = f"Undo it\n\nRequested-by: {setup.acting.login('bob')} <{setup.acting.login('bob')}@example.test>\n"
    made = setup.work.commit("ada", {"app.py": "x = 666\n"}, setup.work.tip("main"), message=asked)
    setup.work.push("ada", made, "main")
    setup.read_updates()
    assert BranchUpdate.objects.get(outcome="bypass").contributors == ["ada", "bob"]


def test_unknown_pusher_requires_one_more_reviewer_and_the_security_role(setup: ForgeSetup) -> None:
    setup.fake.fail("feed", Fault.FAILED)
    row = push_bypass(setup)
    assert (row.contributors, row.pusher_known) == (["ada"], False)
    bob = browser(Person.objects.get(slug="bob"))
    assert "does not name the pusher" in bob.get(f"/branch-updates/{row.pk}").content.decode()
    person("erin", Role.DEVELOPER, product=setup.product)
    assert review(setup, row, "bob", "carol") == ""
    assert review(setup, row, "erin") == ""
    assert review(setup, row, "dave") == "bypass-reviewed"


def test_two_reviewers_are_not_enough_if_one_may_be_the_pusher(setup: ForgeSetup) -> None:
    setup.fake.fail("feed", Fault.FAILED)
    row = push_bypass(setup)
    assert review(setup, row, "dave", "bob") == ""
    assert review(setup, row, "carol") == "bypass-reviewed"


def test_requester_of_a_push_by_a_machine_is_unknown(setup: ForgeSetup) -> None:
    row = push_bypass(setup, "muniment")
    assert (row.contributors, row.unlinked_contributor_count, row.pusher_known) == (["ada"], 0, False)


def test_allowed_update_is_no_bypass_while_the_forge_does_not_answer(setup: ForgeSetup) -> None:
    number = setup.open_change({"app.py": "x = 1\n"})
    for name in ("bob", "carol"):
        setup.acting.approve(name, number)
    setup.evaluate(number)
    setup.acting.merge("bob", number, "merge")
    setup.fake.fail("feed", Fault.FAILED)
    with pytest.raises(ForgeError):
        setup.read_updates()
    assert not BranchUpdate.objects.filter(outcome="bypass").exists()
    setup.fake.mend()
    setup.read_updates()
    assert {update.outcome for update in BranchUpdate.objects.filter(ref=MAIN)} == {"baseline", "allowed"}


def test_status_turns_red_after_the_base_was_rewound(setup: ForgeSetup) -> None:
    before = setup.work.tip("main")
    made = setup.work.commit("bob", {"other.py": "y = 1\n"}, before)
    setup.work.push("bob", made, "main")
    setup.read_updates()
    number = setup.open_change({"app.py": "x = 1\n"})
    for name in ("bob", "carol"):
        setup.acting.approve(name, number)
    setup.evaluate(number)
    head = setup.load_change(number).head
    assert setup.get_status(head) == "success"
    setup.work.push("ada", before, "main", force=True)
    setup.read_updates()
    assert "read-change" in setup.run_queue()
    assert setup.get_status(head) == "failure"


def test_status_of_an_allowed_update_does_not_call_it_a_bypass(setup: ForgeSetup) -> None:
    """The web can enqueue the task that says so, for any update."""
    number = setup.open_change({"app.py": "x = 1\n"})
    for name in ("bob", "carol"):
        setup.acting.approve(name, number)
    setup.evaluate(number)
    head = setup.load_change(number).head
    setup.acting.merge("bob", number, "merge")
    setup.read_updates()
    update = BranchUpdate.objects.filter(outcome="allowed").latest("pk")
    with as_role("worker"):
        tasks.post_bypass_status(update.pk)
    assert setup.get_status(head) == "success"
