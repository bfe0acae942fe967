"""Past steps of a branch: each commit belongs to exactly the first step that reached it."""

from pathlib import Path

import pytest

from muniment.errors import GitError, UsageError
from muniment.facts.change import UpdateKind
from muniment.facts.maybe import Known, Unknown
from muniment.git import branch_history, changed_files, history
from muniment.git.branch_history import HistoryStep
from muniment.git.repository import Repository
from tests.support.repos import SUBMODULE, Entry, Repo


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """A history with plain commits, merges, a side branch merged twice, an octopus and an unrelated root."""
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


def read(repo: Repo, tip: str = "main", **options: object) -> list[HistoryStep]:
    with Repository.open(str(repo.path)) as repository:
        found = branch_history.BranchHistory(repository, "shop", "refs/heads/main", repo.id(tip), **options)  # type: ignore[arg-type]
        steps = list(found)
        assert len(found) == len(steps)
        assert [step.revision for step in found] == [step.revision for step in steps], "twice the same"
    return steps


def test_each_step_equals_history_of_its_revision(repo: Repo) -> None:
    steps = read(repo)
    heads = repo.git("rev-list", "--first-parent", "--reverse", "main").split()
    assert [step.revision.head for step in steps] == heads
    with Repository.open(str(repo.path)) as repository:
        for step in steps:
            revision = step.revision
            change = history.read_history(repository, revision.base, revision.head)
            assert set(step.commits) == set(change.commits)
            assert step.commits[0].id == revision.head
            assert revision.update == Known(change.update)
            assert isinstance(step.files, Known)
            assert set(step.files.value) == set(
                changed_files.read_changed_files(repository, change.bases, revision.head)
            )


def test_each_commit_is_in_exactly_one_step(repo: Repo) -> None:
    found = [commit.id for step in read(repo) for commit in step.commits]
    assert sorted(found) == sorted(repo.git("rev-list", "main").split())


def test_steps_can_be_listed_newest_first(repo: Repo) -> None:
    assert read(repo, newest_first=True) == read(repo)[::-1]


def test_since_excludes_older_steps(repo: Repo) -> None:
    steps = read(repo)
    assert read(repo, since=steps[3].date) == steps[3:]
    assert read(repo, since="2999-01-01") == []
    assert read(repo, since="1999-01-01") == steps


def test_refuses_invalid_since_date(repo: Repo) -> None:
    with pytest.raises(UsageError, match="is not a date"):
        read(repo, since="yesterday")


def test_many_steps_are_listed_in_order(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "long", object_format="sha256")
    made = [repo.commit({"a": f"{n}\n", f"f{n % 7}": f"{n}\n"}) for n in range(200)]
    steps = read(repo)
    assert [step.revision.head for step in steps] == made
    assert (steps[0].revision.base, steps[0].revision.update) == ("", Known(UpdateKind.CREATED))


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
        branch_history.BranchHistory(repository, "shop", "refs/heads/main", repo.tip("main"))
    tip = repo.tip("main")
    repo.forget(repo.tip("side1"))
    with Repository.open(str(repo.path)) as repository, pytest.raises(GitError):
        branch_history.BranchHistory(repository, "shop", "refs/heads/main", tip)


def test_stopping_early_leaves_no_child_process(repo: Repo) -> None:
    with Repository.open(str(repo.path)) as repository:
        steps = iter(branch_history.BranchHistory(repository, "shop", "refs/heads/main", repo.tip("main")))
        next(steps)
        del steps


def test_empty_step_has_known_empty_file_list(repo: Repo) -> None:
    repo.commit(message="nothing\n")
    repo.commit(parents=["main", repo.commit({"z": "1\n"}, on="thrown-away", parents=["main"])])
    assert [step.files for step in read(repo)[-2:]] == [Known(()), Known(())]
