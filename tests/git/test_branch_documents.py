"""Documents of a branch are read completely or give an error: an unreadable document is never treated as missing."""

from pathlib import Path

import pytest

from muniment.errors import ConfigurationError, GitError
from muniment.git import branch_documents
from muniment.git.repository import Repository
from tests.support.repos import Repo


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "shop")


def read(repo: Repo, tip: str) -> branch_documents.BranchDocuments:
    with Repository.open(str(repo.path)) as repository:
        return branch_documents.read_documents(repository, tip)


def test_a_branch_without_the_folder_has_no_documents(repo: Repo) -> None:
    found = read(repo, repo.commit({"a": "1\n"}))
    assert (found.policy_text, found.people_text, found.exception_files) == (None, None, ())


def test_exceptions_are_read_from_nested_folders(repo: Repo) -> None:
    files = {
        ".muniment/people.toml": "x",
        ".muniment/exceptions/a.json": "1",
        ".muniment/exceptions/b/c.json": "2",
        ".muniment/exceptions/b/c.txt": "no",
        ".muniment/exceptions-old/d.json": "no",
        ".muniment/notes/e.json": "no",
    }
    found = read(repo, repo.commit(files))
    assert found.exception_files == (("a", b"1"), ("b/c", b"2"))
    assert (found.policy_text, found.people_text) == (None, "x")


def test_file_in_place_of_folder_has_no_documents(repo: Repo) -> None:
    assert read(repo, repo.commit({".muniment": "policy.toml"})).policy_text is None


@pytest.mark.parametrize("spec", ["", ":.muniment", ":.muniment/exceptions"])
def test_missing_repository_folder_is_error(repo: Repo, spec: str) -> None:
    tip = repo.commit({".muniment/exceptions/a.json": "1"})
    repo.forget(repo.id(f"{tip}{spec or '^{tree}'}"))
    with pytest.raises(GitError):
        read(repo, tip)


def test_missing_commit_is_error(repo: Repo) -> None:
    repo.commit({"a": "1\n"})
    with pytest.raises(GitError):
        read(repo, "1" * 40)


def test_endlessly_nested_folder_is_error(repo: Repo) -> None:
    entry = repo.blob("1")
    tree = repo.write("tree", b"100644 a.json\0" + bytes.fromhex(entry))
    for _ in range(8):
        tree = repo.write("tree", b"".join(b"40000 %d\0" % n + bytes.fromhex(tree) for n in range(4)))
    folder = repo.write("tree", b"40000 exceptions\0" + bytes.fromhex(tree))
    root = repo.write("tree", b"40000 .muniment\0" + bytes.fromhex(folder))
    tip = repo.git("commit-tree", "-m", "x", root).strip()
    with pytest.raises(GitError):
        read(repo, tip)


def test_symlink_in_place_of_policy_is_error(repo: Repo) -> None:
    link = repo.blob("policy.toml")
    folder = repo.write("tree", b"120000 policy.toml\0" + bytes.fromhex(link))
    root = repo.write("tree", b"40000 .muniment\0" + bytes.fromhex(folder))
    with pytest.raises(ConfigurationError):
        read(repo, repo.git("commit-tree", "-m", "x", root).strip())
