"""What git said of objects of our own copies is asked once; errors, and what is missing, are asked again."""

from pathlib import Path
from typing import Any

import pytest

from muniment.errors import GitError
from muniment.git import answers, files, history
from muniment.git import repository as repositories
from muniment.git.repository import Repository
from tests.support.repos import Repo


@pytest.fixture
def copy(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "copy.git", bare=True)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands of git that were started."""
    found: list[str] = []

    def noting(start: Any) -> Any:
        def noted(verb: str, *arguments: Any, **more: Any) -> Any:
            found.append(verb)
            return start(verb, *arguments, **more)

        return noted

    for name in ("run", "Child"):
        monkeypatch.setattr(repositories, name, noting(getattr(repositories, name)))
    return found


def evaluate(repo: Repo, base: str, head: str) -> object:
    with Repository.made_by_us(str(repo.path)) as git:
        change = history.between(git, base, head)
        return change, files.changed(git, change.bases, head), git.objects.kinds([base, head])


def test_what_a_change_holds_is_asked_of_git_once(copy: Repo, started: list[str]) -> None:
    base, head = copy.commit({"a": "1\n"}), copy.commit({"a": "2\n"})
    first = evaluate(copy, base, head)
    assert started
    started.clear()
    assert evaluate(copy, base, head) == first
    assert started == []


def test_a_repository_of_others_is_always_asked(copy: Repo, started: list[str]) -> None:
    base, head = copy.commit({"a": "1\n"}), copy.commit({"a": "2\n"})
    for _ in range(2):
        started.clear()
        with Repository.open(str(copy.path)) as git:
            history.between(git, base, head)
        assert "rev-list" in started


def test_what_is_missing_is_found_once_it_is_there(copy: Repo) -> None:
    with Repository.made_by_us(str(copy.path)) as git:
        blob = "5626abf0f72e58d7a153368ba57db4c673c0e171"
        assert git.objects.read(blob) is None
        assert git.objects.kinds([blob]) == [""]
    assert copy.blob("one\n") == blob
    with Repository.made_by_us(str(copy.path)) as git:
        assert git.objects.kinds([blob]) == ["blob"]
        assert git.objects.read(blob) is not None


def test_an_error_is_not_kept(copy: Repo) -> None:
    base = copy.commit({"a": "1\n"})
    head = copy.raw_commit(copy.tree_of(base), [base])
    file = copy.git_dir / "objects" / head[:2] / head[2:]
    data = file.read_bytes()
    file.unlink()
    with pytest.raises(GitError):
        evaluate(copy, base, head)
    file.write_bytes(data)
    evaluate(copy, base, head)


def test_a_copy_that_is_made_anew_is_asked_again(copy: Repo, started: list[str]) -> None:
    base, head = copy.commit({"a": "1\n"}), copy.commit({"a": "2\n"})
    evaluate(copy, base, head)
    config = copy.git_dir / "config"
    text = config.read_text()
    config.unlink()
    config.write_text(text + "\n")
    started.clear()
    evaluate(copy, base, head)
    assert "rev-list" in started


def test_a_small_limit_holds_for_what_is_kept_too(copy: Repo) -> None:
    blob = copy.blob("x" * 100)
    with Repository.made_by_us(str(copy.path)) as git:
        assert git.objects.read(blob) is not None
        with pytest.raises(GitError):
            git.objects.read(blob, limit=10)


def test_what_is_asked_about_by_less_than_a_full_id_is_asked_each_time(copy: Repo, started: list[str]) -> None:
    head = copy.commit({"a": "1\n"})
    with Repository.made_by_us(str(copy.path)) as git:
        for _ in range(2):
            assert git.run_once("rev-list", "--count", values=[head[:12]]) == b"1\n"
    assert started == ["rev-list", "rev-list"]


def test_large_answers_are_not_kept() -> None:
    place = (1, 2)
    answers.keep_answer(place, "question", b"x", 1 << 20)
    assert answers.find_answer(place, "question", bytes) is None
