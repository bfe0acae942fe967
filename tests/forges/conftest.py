"""Fakes of forges with our client of each; assertions of the shared scenario are explained in full."""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.support.forges.scenario_steps")

from muniment.forges.forge import Forge  # noqa: E402 -- the story is to be rewritten before it is imported
from tests.support.forges import ours  # noqa: E402
from tests.support.forges.fake_github import FakeGitHub  # noqa: E402
from tests.support.forges.fake_gitlab import FakeGitLab  # noqa: E402


@pytest.fixture(name="github")
def _github(tmp_path: Path) -> Iterator[FakeGitHub]:
    with FakeGitHub(tmp_path) as fake:
        yield fake


@pytest.fixture(name="hub")
def _hub(github: FakeGitHub) -> Forge:
    return ours.github(github)


@pytest.fixture(name="gitlab")
def _gitlab(tmp_path: Path) -> Iterator[FakeGitLab]:
    with FakeGitLab(tmp_path) as fake:
        yield fake


@pytest.fixture(name="lab")
def _lab(gitlab: FakeGitLab) -> Forge:
    return ours.gitlab(gitlab)
