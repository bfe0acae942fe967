"""The first push of a commit over all branches: a possible earlier push makes it unknown."""

from pathlib import Path

import pytest

from muniment.facts.maybe import Known, Unknown
from muniment.forges.first_pushes import FirstPush, find_first_pushes
from muniment.forges.forge import Forge
from muniment.forges.shapes import Account, Move
from muniment.git.repository import Repository
from tests.support.forges import ours
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.fake_gitlab import FakeGitLab
from tests.support.repos import Repo

ADA, BOB = Known(Account("1", "ada")), Known(Account("2", "bob"))
GONE = "d" * 40


@pytest.fixture(name="repo")
def _repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "shop")
    made.commit({"a": "1\n"})
    made.commit({"a": "2\n"}, on="topic", parents=["main"])
    made.commit({"b": "1\n"}, on="more", parents=["topic"])
    return made


def push(new: str, who: Known[Account], at: str, ref: str = "refs/heads/topic", *commits: str) -> Move:
    return Move("", new, commits, forced=False, who=who, at=at, ref=ref)


def first(repo: Repo, *pushes: Move) -> FirstPush | None:
    """First push of the commit at `topic`."""
    with Repository.open(str(repo.path)) as git:
        return find_first_pushes(git, pushes, [repo.tip("topic")], repo.tip("main")).get(repo.tip("topic"))


def test_first_push_to_any_branch_determines_pusher(repo: Repo) -> None:
    topic, more = repo.tip("topic"), repo.tip("more")
    assert first(repo, push(topic, ADA, "2"), push(more, BOB, "1", "refs/heads/more")) == FirstPush(BOB, "1")
    assert first(repo, push(topic, ADA, "2"), push(more, BOB, "3", "refs/heads/more")) == FirstPush(ADA, "2")


def test_commit_without_push_has_no_first_push(repo: Repo) -> None:
    assert first(repo, push(repo.tip("main"), BOB, "1", "refs/heads/main")) is None


def test_pushes_by_two_accounts_in_one_second_leave_pusher_unknown(repo: Repo) -> None:
    topic, more = repo.tip("topic"), repo.tip("more")
    found = first(repo, push(topic, ADA, "1"), push(more, BOB, "1", "refs/heads/more"))
    assert found is not None
    assert isinstance(found.who, Unknown)
    assert first(repo, push(topic, ADA, "1"), push(more, ADA, "1", "refs/heads/more")) == FirstPush(ADA, "1")


@pytest.mark.parametrize("ref", ["refs/heads/gone", ""], ids=["commits that are gone", "several branches at once"])
def test_earlier_push_of_unreadable_commit_makes_pusher_unknown(repo: Repo, ref: str) -> None:
    topic = repo.tip("topic")
    found = first(repo, push(GONE if ref else "", BOB, "1", ref), push(topic, ADA, "2"))
    assert found is not None
    assert isinstance(found.who, Unknown)
    assert first(repo, push(topic, ADA, "1"), push(GONE, BOB, "2", "refs/heads/gone")) == FirstPush(ADA, "1")


def test_deleted_branch_does_not_hide_pusher(repo: Repo) -> None:
    topic = repo.tip("topic")
    assert first(repo, push("", BOB, "1", "refs/heads/gone"), push(topic, ADA, "2")) == FirstPush(ADA, "2")


def test_listed_commits_of_push_count_if_its_head_is_missing(repo: Repo) -> None:
    topic = repo.tip("topic")
    assert first(repo, push(GONE, BOB, "1", "refs/heads/gone", topic), push(topic, ADA, "2")) == FirstPush(BOB, "1")


def list_pushes_of_all_branches(forge: Forge, fake: FakeGitHub | FakeGitLab) -> list[tuple[str, str, str]]:
    """Branch, new head and pusher of every push that the forge reports."""
    repository = forge.reader.read_repository(fake.world.path).repository
    everything = forge.reader.list_all_pushes(repository, "")
    assert forge.reader.list_all_pushes(repository, everything[-1].at) == everything[-1:]
    return [(one.ref, one.new, one.who.value.login) for one in everything if isinstance(one.who, Known)]


def test_github_and_gitlab_report_pushes_to_all_branches(tmp_path: Path) -> None:
    with FakeGitHub(tmp_path / "hub") as hub, FakeGitLab(tmp_path / "lab") as lab:
        for fake, forge in ((hub, ours.github(hub)), (lab, ours.gitlab(lab))):
            made = fake.world.push("bob", "bobs", {"a.py": "1\n"})
            fake.world.move("ada", "adas", made)
            fake.written()
            expected = [("refs/heads/bobs", made, "bob"), ("refs/heads/adas", made, "ada")]
            assert list_pushes_of_all_branches(forge, fake) == expected
