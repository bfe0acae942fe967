"""Watching what branches take: nothing that somebody does to one branch hides what another took, or is taken back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from muniment.errors import GitError
from muniment.git.repository import Repository
from muniment.server.connections import watching
from muniment.server.connections.models import Arrival, Branch
from muniment.server.policies import current
from muniment.workflows.watch_branch import Step, steps
from tests.support.connected import MAIN, Town, town
from tests.support.service import as_role

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture(name="town")
def a_town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    with town(tmp_path, monkeypatch) as found:
        found.connect()
        yield found


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
        assert Branch.objects.get(ref=MAIN).tip == tip
    assert Arrival.objects.filter(how="escape").count() == 5


def watched_too(town: Town, branch: str) -> str:
    """Another branch that is watched, from where main is."""
    tip = town.work.tip("main")
    town.work.push("ada", tip, branch)
    with as_role("worker"):
        Branch.objects.create(repository=town.repository, ref=f"refs/heads/{branch}", tip=tip)
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
    assert Arrival.objects.get(how="escape").ref == MAIN
    assert Branch.objects.get(ref="refs/heads/hotfix").tip == tip


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
    assert Arrival.objects.get(how="escape").ref == MAIN


def test_what_another_kept_meanwhile_is_not_kept_twice(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    told, again = watching.allowed_heads, [town.watch]

    def overtaken(*about: Any) -> Any:
        while again:
            again.pop()()
        return told(*about)

    push(town)
    monkeypatch.setattr(watching, "allowed_heads", overtaken)
    town.watch()
    assert Arrival.objects.filter(how="escape").count() == 1
