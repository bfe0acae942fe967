"""What a push brings, as the server hook reads it."""

from pathlib import Path

import pytest

from muniment.git import receiving
from muniment.git.repository import Repository
from tests.support.repos import Repo


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "shop")


def test_a_new_branch_at_the_tip_of_another_parts_from_it_there(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = repo.commit({"a": "1\n"}), repo.commit({"a": "2\n"})
    with Repository.open(str(repo.path)) as opened:
        assert receiving.merge_base(opened, second, [first]) == first
        monkeypatch.setattr(opened, "run", None)  # git is not asked
        assert receiving.merge_base(opened, second, [first, second]) == second
        assert receiving.merge_base(opened, second, []) == ""
