"""Objects match their id, are complete and bounded in size, or give an error."""

import zlib
from pathlib import Path

import pytest

from muniment.errors import GitError
from muniment.git import objects
from muniment.git.repository import Repository
from tests.support.repos import EXECUTABLE, Entry, Repo


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "shop")
    made.commit({"a b": "1\n"})
    return made


def test_reads_objects_by_id_and_by_path(repo: Repo) -> None:
    with Repository.open(str(repo.path)) as repository:
        commit = repository.objects.read_git_object(repo.tip("main"))
        blob = repository.objects.read_git_object(repo.tip("main") + ":a b")
    assert commit is not None
    assert commit.kind == "commit"
    assert blob is not None
    assert (blob.kind, blob.data) == ("blob", b"1\n")


def test_missing_object_is_none_at_its_position(repo: Repo) -> None:
    there, missing = repo.tip("main"), "1" * 40
    with Repository.open(str(repo.path)) as repository:
        found = repository.objects.read_git_objects([missing, there, missing, there])
        assert [one.id if one else None for one in found] == [None, there, None, there]
        assert repository.objects.read_sizes([missing, repo.blob("1\n")]) == [None, 2]


def test_reads_object_kinds_and_tree_entries(repo: Repo) -> None:
    blob, commit = repo.blob("1\n"), repo.tip("main")
    repo.commit({"d/e": Entry(EXECUTABLE, "x")})
    with Repository.open(str(repo.path)) as repository:
        there = repository.objects
        assert there.read_kinds([blob, "1" * 40, commit]) == ["blob", "", "commit"]
        entries = there.read_tree(repo.tip("main") + "^{tree}")
        assert entries is not None
        assert {name: entry.mode for name, entry in entries.items()} == {b"a b": "100644", b"d": "040000"}
        assert entries[b"a b"].id == blob
        assert there.read_tree(repo.tip("main") + ":d") == {b"e": ("100755", repo.blob("x"))}
        assert there.read_tree(blob) is there.read_tree(repo.tip("main") + ":nowhere") is None


def test_thousands_of_objects_are_read_in_order(repo: Repo) -> None:
    contents = [b"%d " % number * (number % 300) for number in range(3000)]
    ids = [repo.blob(content) for content in contents]
    with Repository.open(str(repo.path)) as repository:
        found = repository.objects.read_git_objects(ids)
        sizes = repository.objects.read_sizes(ids)
    assert [one.data if one else None for one in found] == contents
    assert sizes == [len(content) for content in contents]


def test_refuses_too_large_object_and_reads_following_ones(repo: Repo) -> None:
    large, small = repo.blob("x" * 2000), repo.blob("x")
    with Repository.open(str(repo.path)) as repository:
        with pytest.raises(GitError, match="more than 1000 bytes"):
            repository.objects.read_git_objects([large, small], limit=1000)
        found = repository.objects.read_git_object(small)
        assert found is not None
        assert found.data == b"x"


def test_refuses_objects_above_total_size(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "TOTAL_LIMIT", 1000)
    ids = [repo.blob("x" * 400), repo.blob("y" * 400), repo.blob("z" * 400)]
    with Repository.open(str(repo.path)) as repository:
        assert len(repository.objects.read_git_objects(ids[:2])) == 2
        with pytest.raises(GitError, match="together"):
            repository.objects.read_git_objects(ids)


def test_refuses_object_that_does_not_match_its_id(repo: Repo) -> None:
    tip = repo.tip("main")
    other = repo.commit({"a b": "2\n"}, on="other")
    folder = repo.git_dir / "objects"
    (folder / tip[:2] / tip[2:]).write_bytes((folder / other[:2] / other[2:]).read_bytes())
    with Repository.open(str(repo.path)) as repository, pytest.raises(GitError, match="not what its id says"):
        repository.objects.read_git_object(tip)


def test_refuses_an_object_that_is_broken(repo: Repo) -> None:
    tip = repo.tip("main")
    (repo.git_dir / "objects" / tip[:2] / tip[2:]).write_bytes(zlib.compress(b"commit 5\0abc"))
    with Repository.open(str(repo.path)) as repository, pytest.raises(GitError):
        repository.objects.read_git_object(tip)


@pytest.mark.parametrize("spec", ["", "a\nb", "a\0b", "a" * 5000])
def test_refuses_invalid_object_name(repo: Repo, spec: str) -> None:
    with Repository.open(str(repo.path)) as repository, pytest.raises(GitError, match="cannot name"):
        repository.objects.read_git_object(spec)
