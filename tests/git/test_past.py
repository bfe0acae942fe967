"""Each commit of the past belongs to exactly one step of the branch: the first that reached it."""

from pathlib import Path

import pytest

from muniment.errors import GitError, UsageError
from muniment.facts.change import Update
from muniment.facts.maybe import Known, Unknown
from muniment.git import files, history, past
from muniment.git.past import Past
from muniment.git.repository import Repository
from tests.support.repos import SUBMODULE, Entry, Repo


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """Plain commits, merges, a side branch merged twice, an octopus, a merge of a merge, an alien root."""
    made = Repo(tmp_path / "shop")
    made.commit({"a": "1\n", "bin": b"\0" * 200})
    for n in range(3):
        made.commit({f"s{n}": "1\n"}, on=f"side{n}", parents=["main"])
        made.commit({f"s{n}": "2\n"}, on=f"side{n}")
        made.commit({"a": f"{n}\n"})
    made.merge(made.tip("side0"))
    made.commit({"s0": "3\n"}, on="side0")
    made.merge(made.tip("side1"), on="side0")
    made.merge(made.tip("side0"))
    made.commit({"x": Entry(SUBMODULE, id="1" * 40), "bin": b"\0" * 300}, author="Bob <bob@example.test>")
    alien = made.commit({"alien": "1\n"}, on="alien", parents=[])
    made.commit({"s2": "2\n", "alien": "1\n"}, parents=["main", "side2", alien])
    made.commit({"a": None, b"caf\xe9": "2\n"})
    return made


def read(repo: Repo, tip: str = "main", **options: object) -> list[Past]:
    with Repository.open(str(repo.path)) as repository:
        found = past.History(repository, "shop", "refs/heads/main", repo.id(tip), **options)  # type: ignore[arg-type]
        steps = list(found)
        assert len(found) == len(steps)
        assert [step.revision for step in found] == [step.revision for step in steps], "twice the same"
    return steps


def test_each_step_is_what_a_check_would_see(repo: Repo) -> None:
    steps = read(repo)
    heads = repo.git("rev-list", "--first-parent", "--reverse", "main").split()
    assert [step.revision.head for step in steps] == heads
    with Repository.open(str(repo.path)) as repository:
        for step in steps:
            revision = step.revision
            change = history.between(repository, revision.base, revision.head)
            assert set(step.commits) == set(change.commits)
            assert step.commits[0].id == revision.head
            assert revision.update == Known(change.update)
            assert isinstance(step.files, Known)
            assert set(step.files.value) == set(files.changed(repository, change.bases, revision.head))


def test_no_commit_is_lost_or_counted_twice(repo: Repo) -> None:
    found = [commit.id for step in read(repo) for commit in step.commits]
    assert sorted(found) == sorted(repo.git("rev-list", "main").split())


def test_the_newest_may_come_first(repo: Repo) -> None:
    assert read(repo, newest_first=True) == read(repo)[::-1]


def test_since_leaves_out_what_is_older(repo: Repo) -> None:
    steps = read(repo)
    assert read(repo, since=steps[3].date) == steps[3:]
    assert read(repo, since="2999-01-01") == []
    assert read(repo, since="1999-01-01") == steps


def test_refuses_a_since_that_is_no_date(repo: Repo) -> None:
    with pytest.raises(UsageError, match="is not a date"):
        read(repo, since="yesterday")


def test_many_steps_come_in_order(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "long", object_format="sha256")
    made = [repo.commit({"a": f"{n}\n", f"f{n % 7}": f"{n}\n"}) for n in range(200)]
    steps = read(repo)
    assert [step.revision.head for step in steps] == made
    assert (steps[0].revision.base, steps[0].revision.update) == ("", Known(Update.CREATED))


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_missing_blob_makes_only_its_steps_unknown(repo: Repo, newest_first: bool) -> None:
    before = read(repo, newest_first=newest_first)
    lost = repo.id("main~4:a")
    repo.forget(lost)
    after = read(repo, newest_first=newest_first)
    unknown = [step for step in after if isinstance(step.files, Unknown)]
    assert 0 < len(unknown) < len(after) - 3
    for old, new in zip(before, after, strict=True):
        assert old.commits == new.commits
        assert old.files == new.files or new in unknown


def test_refuses_a_missing_commit_and_a_shallow_clone(repo: Repo, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    repo.git("clone", "-q", "--bare", "--depth=2", f"file://{repo.path}", str(clone))
    with Repository.open(str(clone)) as repository, pytest.raises(GitError, match="--unshallow"):
        past.History(repository, "shop", "refs/heads/main", repo.tip("main"))
    tip = repo.tip("main")
    repo.forget(repo.tip("side1"))
    with Repository.open(str(repo.path)) as repository, pytest.raises(GitError):
        past.History(repository, "shop", "refs/heads/main", tip)


def test_stopping_half_way_leaves_no_child(repo: Repo) -> None:
    with Repository.open(str(repo.path)) as repository:
        steps = iter(past.History(repository, "shop", "refs/heads/main", repo.tip("main")))
        next(steps)
        del steps


def test_a_step_that_changes_nothing_has_no_files_and_is_known(repo: Repo) -> None:
    repo.commit(message="nothing\n")
    repo.commit(parents=["main", repo.commit({"z": "1\n"}, on="thrown-away", parents=["main"])])
    assert [step.files for step in read(repo)[-2:]] == [Known(()), Known(())]
