"""Refs of our own copies, read from loose and packed files as git reads them."""

from pathlib import Path

import pytest

from muniment.git.ref_files import read_refs
from muniment.git.repository import Repository
from tests.support.repos import Repo

PATTERNS = (
    ("refs/heads/main",),
    ("refs/heads/",),
    ("refs/heads",),
    ("refs/heads/ma",),
    ("refs/heads/feature", "refs/muniment/approvals/"),
    ("refs/nowhere/", "refs/heads/feature/one"),
)


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "copy.git", bare=True)
    first = made.commit({"a": "1\n"})
    for name in ("refs/heads/feature/one", "refs/heads/feature/two", f"refs/muniment/approvals/{first}/bob"):
        made.git("update-ref", name, first)
    return made


def read_refs_both_ways(repo: Repo, patterns: tuple[str, ...]) -> tuple[dict[str, str] | None, dict[str, str]]:
    with Repository.open(str(repo.path)) as asked:
        return read_refs(str(repo.path), patterns), asked.read_refs(*patterns)


@pytest.mark.parametrize("patterns", PATTERNS)
@pytest.mark.parametrize("packed", ["none", "all", "some"])
def test_ref_files_equal_refs_listed_by_git(repo: Repo, patterns: tuple[str, ...], packed: str) -> None:
    if packed != "none":
        repo.git("pack-refs", "--all")
    if packed == "some":  # a loose file outweighs the packed value, and a new packed file the one that was read
        assert read_refs(str(repo.path), patterns) is not None
        newer = repo.commit({"a": "2\n"})
        repo.git("update-ref", "refs/heads/feature/one", newer)
        repo.git("update-ref", "-d", "refs/heads/feature/two")
    ours, gits = read_refs_both_ways(repo, patterns)
    assert ours == gits
    assert list(ours or {}) == list(gits)


@pytest.mark.parametrize("patterns", [(), ("refs/heads/*",), ("heads/main",)])
def test_unsupported_patterns_fall_back_to_git(repo: Repo, patterns: tuple[str, ...]) -> None:
    assert read_refs(str(repo.path), patterns) is None


def test_symbolic_ref_symlink_and_broken_file_fall_back_to_git(repo: Repo) -> None:
    heads = repo.path / "refs" / "heads"
    (heads / "other").write_text("ref: refs/heads/main\n")
    assert read_refs(str(repo.path), ["refs/heads/"]) is None
    (heads / "other").unlink()
    (heads / "other").symlink_to(heads / "main")
    assert read_refs(str(repo.path), ["refs/heads/"]) is None
    (heads / "other").unlink()
    (repo.path / "packed-refs").write_text("what is this\n")
    assert read_refs(str(repo.path), ["refs/heads/"]) is None


def test_lock_files_are_no_refs(repo: Repo) -> None:
    (repo.path / "refs" / "heads" / "main.lock").write_text("")
    ours, gits = read_refs_both_ways(repo, ("refs/heads/",))
    assert ours == gits
