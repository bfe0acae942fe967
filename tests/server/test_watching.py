"""Watching what branches take: nothing that somebody does to one branch hides what another took, or is taken back."""

from typing import Any

import pytest

from muniment.access.roles import Role
from muniment.errors import GitError
from muniment.git.repository import Repository
from muniment.server.connections import watching
from muniment.server.connections.models import BranchUpdate, ProtectedBranch
from muniment.server.incidents.models import Incident
from muniment.server.people.models import Person
from muniment.server.policies import current
from muniment.workflows.watch_branch import Step, steps
from tests.support.connected import MAIN, Town
from tests.support.forges.faulty import Fault
from tests.support.service import as_role, browser, person, post

pytestmark = pytest.mark.usefixtures("service")


def push(town: Town, branch: str = "main", text: str = "x = 666\n") -> str:
    made = town.work.commit("ada", {"app.py": text}, town.work.tip("main"))
    town.work.push("ada", made, branch)
    return made


def test_a_branch_that_goes_back_and_takes_the_same_again_is_an_escape_each_time(town: Town) -> None:
    before = town.work.tip("main")
    made = push(town)
    town.watch()
    for tip in (before, made, before, made):
        town.work.push("ada", tip, "main", force=True)
        town.watch()
        assert ProtectedBranch.objects.get(ref=MAIN).tip == tip
    assert BranchUpdate.objects.filter(outcome="bypass").count() == 5


def watched_too(town: Town, branch: str) -> str:
    """Another branch that is watched, from where main is."""
    tip = town.work.tip("main")
    town.work.push("ada", tip, branch)
    with as_role("worker"):
        ProtectedBranch.objects.create(repository=town.repository, ref=f"refs/heads/{branch}", tip=tip)
    return tip


def test_a_branch_of_which_nothing_can_be_told_hides_no_other(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    tip, told = watched_too(town, "hotfix"), steps

    def failing(git: Repository, ref: str, *more: Any) -> tuple[Step, ...]:
        if ref == "refs/heads/hotfix":
            raise GitError("git took too long", "Look at it.")
        return told(git, ref, *more)

    monkeypatch.setattr(watching, "steps", failing)
    push(town, "hotfix")
    push(town)
    with pytest.raises(GitError, match="too long"):
        town.watch()
    assert BranchUpdate.objects.get(outcome="bypass").ref == MAIN
    assert ProtectedBranch.objects.get(ref="refs/heads/hotfix").tip == tip


@pytest.mark.parametrize("name", ["/".join(["a" * 150] * 3), "a\N{NO-BREAK SPACE}b"])
def test_a_branch_whose_name_cannot_be_kept_hides_no_other(
    town: Town, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(current, "protected", lambda: ("**",))
    monkeypatch.setattr(watching, "matches", lambda branch, patterns: True)
    town.work.push("ada", town.work.tip("main"), name)
    push(town)
    with pytest.raises(GitError, match="a branch with such a name is not watched"):
        town.watch()
    assert BranchUpdate.objects.get(outcome="bypass").ref == MAIN


def test_what_another_kept_meanwhile_is_not_kept_twice(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    told, again = watching.allowed_heads, [town.watch]

    def overtaken(*about: Any) -> Any:
        while again:
            again.pop()()
        return told(*about)

    push(town)
    monkeypatch.setattr(watching, "allowed_heads", overtaken)
    town.watch()
    assert BranchUpdate.objects.filter(outcome="bypass").count() == 1


def escaped(town: Town, who: str = "dave") -> BranchUpdate:
    """Ada's commit, which somebody pushed past the gate."""
    made = town.work.commit("ada", {"app.py": "x = 666\n"}, town.work.tip("main"))
    town.work.push(who, made, "main")
    town.watch()
    return BranchUpdate.objects.get(outcome="bypass")


def review(town: Town, row: BranchUpdate, *names: str) -> str:
    """What each is answered, and how the incident stands then: "" while it is open."""
    for name in names:
        assert "Recorded." in post(
            browser(Person.objects.get(slug=name)), f"/branch-updates/{row.pk}/review", reason="Read."
        )
    town.run()
    return Incident.objects.get().resolution


def test_whoever_pushed_what_another_wrote_had_a_hand_in_it(town: Town) -> None:
    row = escaped(town)
    assert (row.contributors, row.unlinked_contributor_count, row.pusher_known) == (["ada", "dave"], 0, True)
    assert row.incident is not None
    assert row.incident.involved_people == ["ada", "dave"]
    dave = browser(Person.objects.get(slug="dave"))
    assert "You contributed to it" in post(dave, f"/branch-updates/{row.pk}/review", reason="It is fine.")
    assert review(town, row, "bob") == ""
    assert review(town, row, "carol") == "bypass-reviewed"


def test_whoever_pushed_and_is_nobody_known_leaves_a_stranger(town: Town) -> None:
    with as_role("owner"):
        Person.objects.get(slug="dave").accounts.filter(kind="login").delete()
    row = escaped(town)
    assert (row.contributors, row.unlinked_contributor_count, row.pusher_known) == (["ada"], 1, True)


def test_whoever_a_commit_says_that_they_asked_for_it_had_a_hand_in_it(town: Town) -> None:
    asked = f"Undo it\n\nRequested-by: {town.acting.login('bob')} <{town.acting.login('bob')}@example.test>\n"
    made = town.work.commit("ada", {"app.py": "x = 666\n"}, town.work.tip("main"), message=asked)
    town.work.push("ada", made, "main")
    town.watch()
    assert BranchUpdate.objects.get(outcome="bypass").contributors == ["ada", "bob"]


def test_where_who_pushed_is_not_told_it_takes_one_more_and_one_with_the_security_role(town: Town) -> None:
    town.fake.fail("feed", Fault.FAILED)
    row = escaped(town)
    assert (row.contributors, row.pusher_known) == (["ada"], False)
    bob = browser(Person.objects.get(slug="bob"))
    assert "does not name who pushed it" in bob.get(f"/branch-updates/{row.pk}").content.decode()
    person("erin", Role.DEVELOPER, product=town.product)
    assert review(town, row, "bob", "carol") == ""
    assert review(town, row, "erin") == ""
    assert review(town, row, "dave") == "bypass-reviewed"


def test_two_are_not_enough_if_one_of_them_may_have_pushed_it(town: Town) -> None:
    town.fake.fail("feed", Fault.FAILED)
    row = escaped(town)
    assert review(town, row, "dave", "bob") == ""
    assert review(town, row, "carol") == "bypass-reviewed"


def test_who_had_a_machine_push_it_is_not_known(town: Town) -> None:
    row = escaped(town, "muniment")
    assert (row.contributors, row.unlinked_contributor_count, row.pusher_known) == (["ada"], 0, False)


def test_a_forge_is_not_asked_who_pushed_what_a_decision_allowed(town: Town) -> None:
    number = town.open({"app.py": "x = 1\n"})
    for name in ("bob", "carol"):
        town.acting.approve(name, number)
    town.look(number)
    town.acting.merge("bob", number, "merge")
    town.fake.fail("feed", Fault.FAILED)
    town.watch()
    assert not BranchUpdate.objects.filter(outcome="bypass").exists()


def test_a_change_is_no_longer_green_once_its_base_was_rewound_under_it(town: Town) -> None:
    before = town.work.tip("main")
    made = town.work.commit("bob", {"other.py": "y = 1\n"}, before)
    town.work.push("bob", made, "main")
    town.watch()
    number = town.open({"app.py": "x = 1\n"})
    for name in ("bob", "carol"):
        town.acting.approve(name, number)
    town.look(number)
    head = town.change(number).head
    assert town.shown(head) == "success"
    town.work.push("ada", before, "main", force=True)
    town.watch()
    assert "read-change" in town.run()
    assert town.shown(head) == "failure"
