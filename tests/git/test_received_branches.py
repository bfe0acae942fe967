"""Merge bases of pushed branches, as the server hook computes them."""

from pathlib import Path

import pytest

from muniment.git import received_push
from muniment.git.repository import Repository
from tests.support.repos import Repo


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "shop")


def test_new_branch_at_tip_of_another_has_that_tip_as_merge_base(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = repo.commit({"a": "1\n"}), repo.commit({"a": "2\n"})
    with Repository.open(str(repo.path)) as opened:
        assert received_push.find_merge_base(opened, second, [first]) == first
        monkeypatch.setattr(opened, "run_git", None)  # git is not asked
        assert received_push.find_merge_base(opened, second, [first, second]) == second
        assert received_push.find_merge_base(opened, second, []) == ""
