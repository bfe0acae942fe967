"""Commands that read a policy read that of the service whose home they are given, not the repository's alone."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.policy.built_in_policy import format_built_in_policy
from tests.support.repos import Repo
from tests.support.running import Up, muniment

pytestmark = pytest.mark.slow  # a whole service

CLAUSE = "review.two-reviewers"


@pytest.fixture(name="up")
def _up(tmp_path: Path) -> Iterator[Up]:
    """Service with the built-in policy, and a repository whose own policy is weaker."""
    repo = Repo(tmp_path / "shop")
    policy = format_built_in_policy("security@example.test", "shop").replace("{ reviewers = 2 }", "{ reviewers = 1 }")
    policy = policy.replace("lines = 400", "lines = 1000")
    repo.commit({"app.py": "x = 1\n", ".muniment/policy.toml": policy})
    running = Up(tmp_path / "home", repo.path)
    try:
        yield running
    finally:
        running.end()


def read_reviewers(*arguments: object) -> int:
    code, output = muniment("explain", CLAUSE, *arguments, "--format", "json")
    assert code == 0, output
    (found,) = (one["value"] for one in json.loads(output)["parameters"] if one["name"] == "reviewers")
    return int(found)


def test_policy_commands_read_the_policy_of_the_named_service(up: Up) -> None:
    repository, home = ("--repo", up.repository), ("--home", up.home)
    assert read_reviewers(*repository) == 1
    assert read_reviewers(*repository, *home) == 2
    code, output = muniment("policy", "show", *repository, *home)
    assert (code, "organisation: sha256:" in output) == (0, True), output
    assert "larger than 1,000 lines" in muniment("replay", *repository)[1]
    code, output = muniment("replay", *repository, *home)
    assert (code, "larger than 400 lines" in output) == (0, True), output
    assert "muniment check" not in output, "the service evaluates changes itself"
