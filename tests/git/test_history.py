"""No commit of a change is lost, whatever its history looks like; an unreadable commit is an error."""

from pathlib import Path

import pytest

from muniment.errors import GitError
from muniment.facts.change import UpdateKind
from muniment.git import history
from muniment.git.history import History
from muniment.git.repository import Repository
from tests.support.repos import Repo


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "shop")
    made.commit({"a": "1\n"})
    return made


def between(repo: Repo, base: str, head: str) -> History:
    with Repository.open(str(repo.path)) as repository:
        return history.read_history(repository, repo.id(base) if base else "", repo.id(head) if head else "")


def ids(found: History) -> list[str]:
    return [commit.id for commit in found.commits]


def test_linear_history_is_listed_newest_first(repo: Repo) -> None:
    base = repo.tip("main")
    made = [repo.commit({"a": f"{n}\n"}, on="topic", parents=[base if n == 5 else "topic"]) for n in (5, 6, 7)]
    found = between(repo, base, "topic")
    assert ids(found) == made[::-1]
    assert (found.bases, found.update) == ((base,), UpdateKind.FAST_FORWARD)
    assert [commit.parents for commit in found.commits] == [(made[1],), (made[0],), (base,)]
    assert history.is_linear(found.commits)


def test_commits_of_second_parents_are_included(repo: Repo) -> None:
    base = repo.tip("main")
    side = repo.commit({"b": "1\n"}, on="side", parents=[base])
    hidden = repo.commit({"c": "1\n"}, on="hidden", parents=[side])
    repo.commit({"a": "2\n"}, on="topic", parents=[base])
    repo.merge(hidden, on="topic")
    found = between(repo, base, "topic")
    assert {side, hidden} < set(ids(found))
    assert len(ids(found)) == 4
    assert not history.is_linear(found.commits)


def test_octopus_and_unrelated_root_commits_are_included(repo: Repo) -> None:
    base = repo.tip("main")
    sides = [repo.commit({f"{n}": "1\n"}, on=f"s{n}", parents=[base]) for n in range(3)]
    alien = repo.commit({"alien": "1\n"}, on="alien", parents=[])
    head = repo.commit({}, on="topic", parents=[base, *sides, alien])
    found = between(repo, base, "topic")
    assert set(ids(found)) == {head, alien, *sides}
    assert (found.bases, found.update) == ((base,), UpdateKind.FAST_FORWARD)


def test_a_criss_cross_has_two_merge_bases(repo: Repo) -> None:
    root = repo.tip("main")
    one = repo.commit({"one": "1\n"}, on="main", parents=[root])
    two = repo.commit({"two": "1\n"}, on="topic", parents=[root])
    repo.commit({"two": "1\n"}, on="main", parents=[one, two])
    repo.commit({"one": "1\n"}, on="topic", parents=[two, one])
    found = between(repo, "main", "topic")
    assert found.bases == tuple(sorted((one, two)))
    assert found.update is UpdateKind.DIVERGED
    assert len(found.commits) == 1


def test_diverged_head_is_update_kind_diverged(repo: Repo) -> None:
    base = repo.tip("main")
    repo.commit({"b": "1\n"}, on="topic", parents=[base])
    repo.commit({"a": "2\n"})
    found = between(repo, "main", "topic")
    assert (found.bases, found.update) == ((base,), UpdateKind.DIVERGED)


def test_older_head_is_update_kind_rewound(repo: Repo) -> None:
    old = repo.tip("main")
    repo.commit({"a": "2\n"})
    found = between(repo, "main", old)
    assert (found.commits, found.bases, found.update) == ((), (old,), UpdateKind.REWOUND)


def test_unrelated_histories_have_no_merge_base(repo: Repo) -> None:
    repo.commit({"x": "1\n"}, on="alien", parents=[])
    found = between(repo, "main", "alien")
    assert (found.bases, found.update, len(found.commits)) == ((), UpdateKind.DIVERGED, 1)


def test_new_branch_includes_all_commits(repo: Repo) -> None:
    repo.commit({"a": "2\n"})
    found = between(repo, "", "main")
    assert (len(found.commits), found.bases, found.update) == (2, (), UpdateKind.CREATED)


def test_unchanged_and_deleted_head_include_no_commits(repo: Repo) -> None:
    assert between(repo, "main", "main") == History((), (repo.tip("main"),), UpdateKind.UNCHANGED)
    assert between(repo, "main", "") == History((), (), UpdateKind.DELETED)


@pytest.mark.parametrize("dates", [(1, 2, 3), (4_000_000_000, 1, 2_000_000_000), (2**33, 2**33, 1)])
def test_wrong_commit_dates_lose_no_commit(repo: Repo, dates: tuple[int, int, int]) -> None:
    base_date, side_date, head_date = dates
    for _ in range(12):
        repo.commit({}, time=base_date)
    fork = repo.tip("main")
    made = [repo.commit({"b": "1\n"}, on="side", parents=[fork], time=side_date)]
    made += [repo.commit({"b": f"{n}\n"}, on="side", time=side_date + n * (-1) ** n) for n in range(12)]
    for _ in range(12):
        repo.commit({}, time=base_date)
    made.append(repo.commit({}, on="topic", parents=["main", "side"], time=head_date))
    found = between(repo, "main", "topic")
    assert set(made) <= set(ids(found))
    assert set(found.bases) == {repo.tip("main")}


def test_wrong_dates_in_base_give_correct_merge_base(repo: Repo) -> None:
    """git's own walk stops too early on the base's side and lists commits of the base: never too few."""
    for _ in range(30):
        repo.commit({}, time=2_000_000_000)
    fork = repo.tip("main")
    for _ in range(30):
        repo.commit({}, time=1)
    head = repo.commit({"b": "1\n"}, on="topic", parents=[fork], time=2_000_000_001)
    found = between(repo, "main", "topic")
    assert head in ids(found)
    assert (found.bases, found.update) == ((fork,), UpdateKind.DIVERGED)


def test_mailmap_changes_no_contributor(repo: Repo) -> None:
    mailmap = "Ada <ada@example.test> <eve@example.test>\n"
    repo.git("config", "mailmap.file", str(repo.path / "map"))
    (repo.path / "map").write_text(mailmap)
    base = repo.tip("main")
    repo.commit({".mailmap": mailmap}, author="Eve <eve@example.test>")
    (commit,) = between(repo, base, "main").commits
    assert {hand.identity for hand in commit.contributors} == {"email:eve@example.test"}


def test_refuses_a_shallow_clone(repo: Repo, tmp_path: Path) -> None:
    repo.commit({"a": "2\n"})
    clone = tmp_path / "clone"
    repo.git("clone", "-q", "--bare", "--depth=1", f"file://{repo.path}", str(clone))
    with Repository.open(str(clone)) as repository, pytest.raises(GitError, match="--unshallow"):
        history.read_history(repository, "", repo.tip("main"))


def test_false_shallow_file_hides_no_commit(repo: Repo) -> None:
    repo.commit({"a": "2\n"})
    (repo.git_dir / "shallow").write_text(repo.tip("main") + "\n")
    with pytest.raises(GitError, match="--unshallow"):
        between(repo, "", "main")


@pytest.mark.parametrize("missing", ["main", "main~1", "main~2"])
def test_refuses_history_with_missing_commit(repo: Repo, missing: str) -> None:
    for n in range(2, 4):
        repo.commit({"a": f"{n}\n"})
    head = repo.tip("main")
    repo.forget(repo.id(missing))
    with Repository.open(str(repo.path)) as repository, pytest.raises(GitError):
        history.read_history(repository, "", head)


def test_refuses_merge_base_behind_missing_commit(repo: Repo) -> None:
    root = repo.tip("main")
    lost = repo.commit({"a": "2\n"})
    repo.commit({"a": "3\n"})
    repo.commit({"b": "1\n"}, on="topic", parents=[root])
    tip = repo.tip("main")
    repo.forget(lost)
    with Repository.open(str(repo.path)) as repository, pytest.raises(GitError):
        history.read_history(repository, tip, repo.tip("topic"))


def test_refuses_too_many_commits(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_COMMITS", 3)
    base = repo.tip("main")
    for n in range(3):
        repo.commit({"a": f"{n}\n"})
    assert len(between(repo, base, "main").commits) == 3
    with pytest.raises(GitError, match="more than 3 commits"):
        between(repo, "", "main")


def test_selects_commits_reachable_from_one_head(repo: Repo) -> None:
    base = repo.tip("main")
    one = repo.commit({"b": "1\n"}, on="one", parents=[base])
    two = repo.commit({"b": "2\n"}, on="one")
    repo.commit({"c": "1\n"}, on="topic", parents=[base])
    repo.merge(two, on="topic")
    found = between(repo, base, "topic")
    assert [commit.id for commit in history.select_reachable(found.commits, [two])] == [two, one]
    assert history.is_linear(history.select_reachable(found.commits, [two]))


def test_a_sha256_history_is_read(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "long", object_format="sha256")
    base = repo.commit({"a": "1\n"})
    head = repo.commit({"a": "2\n"})
    assert ids(between(repo, base, head)) == [head]
