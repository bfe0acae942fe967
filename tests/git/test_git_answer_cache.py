"""Cache of git's answers on objects of our own copies; errors and missing objects are not cached."""

from pathlib import Path
from typing import Any

import pytest

from muniment.errors import GitError
from muniment.git import cached_answers, changed_files, history
from muniment.git import repository as repositories
from muniment.git.repository import Repository
from tests.support.repos import Repo


@pytest.fixture
def copy(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "copy.git", bare=True)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the git commands that were started."""
    found: list[str] = []

    def noting(start: Any) -> Any:
        def noted(verb: str, *arguments: Any, **more: Any) -> Any:
            found.append(verb)
            return start(verb, *arguments, **more)

        return noted

    for name in ("run_git", "GitProcess"):
        monkeypatch.setattr(repositories, name, noting(getattr(repositories, name)))
    return found


def evaluate(repo: Repo, base: str, head: str) -> object:
    with Repository.open_own_copy(str(repo.path)) as git:
        change = history.read_history(git, base, head)
        return change, changed_files.read_changed_files(git, change.bases, head), git.objects.read_kinds([base, head])


def test_git_is_queried_once_per_change(copy: Repo, started: list[str]) -> None:
    base, head = copy.commit({"a": "1\n"}), copy.commit({"a": "2\n"})
    first = evaluate(copy, base, head)
    assert started
    started.clear()
    assert evaluate(copy, base, head) == first
    assert started == []


def test_foreign_repository_is_never_cached(copy: Repo, started: list[str]) -> None:
    base, head = copy.commit({"a": "1\n"}), copy.commit({"a": "2\n"})
    for _ in range(2):
        started.clear()
        with Repository.open(str(copy.path)) as git:
            history.read_history(git, base, head)
        assert "rev-list" in started


def test_missing_object_is_not_cached(copy: Repo) -> None:
    with Repository.open_own_copy(str(copy.path)) as git:
        blob = "5626abf0f72e58d7a153368ba57db4c673c0e171"
        assert git.objects.read_git_object(blob) is None
        assert git.objects.read_kinds([blob]) == [""]
    assert copy.blob("one\n") == blob
    with Repository.open_own_copy(str(copy.path)) as git:
        assert git.objects.read_kinds([blob]) == ["blob"]
        assert git.objects.read_git_object(blob) is not None


def test_error_is_not_cached(copy: Repo) -> None:
    base = copy.commit({"a": "1\n"})
    head = copy.raw_commit(copy.tree_of(base), [base])
    file = copy.git_dir / "objects" / head[:2] / head[2:]
    data = file.read_bytes()
    file.unlink()
    with pytest.raises(GitError):
        evaluate(copy, base, head)
    file.write_bytes(data)
    evaluate(copy, base, head)


def test_recreated_copy_has_empty_cache(copy: Repo, started: list[str]) -> None:
    base, head = copy.commit({"a": "1\n"}), copy.commit({"a": "2\n"})
    evaluate(copy, base, head)
    config = copy.git_dir / "config"
    text = config.read_text()
    config.unlink()
    config.write_text(text + "\n")
    started.clear()
    evaluate(copy, base, head)
    assert "rev-list" in started


def test_size_limit_applies_to_cached_objects(copy: Repo) -> None:
    blob = copy.blob("x" * 100)
    with Repository.open_own_copy(str(copy.path)) as git:
        assert git.objects.read_git_object(blob) is not None
        with pytest.raises(GitError):
            git.objects.read_git_object(blob, limit=10)


def test_answer_for_abbreviated_id_is_not_cached(copy: Repo, started: list[str]) -> None:
    head = copy.commit({"a": "1\n"})
    with Repository.open_own_copy(str(copy.path)) as git:
        for _ in range(2):
            assert git.run_git_once("rev-list", "--count", values=[head[:12]]) == b"1\n"
    assert started == ["rev-list", "rev-list"]


def test_large_answers_are_not_cached() -> None:
    place = (1, 2)
    cached_answers.cache_answer(place, "question", b"x", 1 << 20)
    assert cached_answers.find_answer(place, "question", bytes) is None
