"""muniment replay --forge without a token: public repositories of each forge, few requests, and plain words."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from muniment.cli.commands import muniment
from muniment.errors import ForgeCode, ForgeError
from tests.support.forges.acting import Acting, GiteaActing, Work
from tests.support.forges.acting_fakes import GitHubActing, GitLabActing
from tests.support.forges.fake_gitea import FakeGitea
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.fake_gitlab import FakeGitLab
from tests.support.forges.faulty import Fault


class _Place:
    """Public repository at a fake forge."""

    def __init__(self, fake: Any, acting: Acting, folder: Path) -> None:
        self.fake = fake
        self.acting = acting
        self.work = Work(folder / "work", acting)
        self.url = f"{fake.url}/{acting.path}"

    def merge(self, *approvers: str, number: int = 1) -> int:
        """Merge a change by ada that these people approved."""
        work = self.work
        head = work.commit("ada", {f"app{number}.py": f"x = {number}\n"}, work.tip("main"))
        work.push("ada", head, f"topic{number}")
        opened = self.acting.open("ada", f"topic{number}", "main", "a topic")
        for name in approvers:
            self.acting.approve(name, opened)
        self.acting.merge("bob", opened, "squash")
        return opened


def _gitea(folder: Path) -> Iterator[_Place]:
    with FakeGitea(folder / "forge") as fake:
        acting = GiteaActing(fake.url, fake.administrator)
        fake.repos[acting.path]["public"] = True
        yield _Place(fake, acting, folder)


def _github(folder: Path) -> Iterator[_Place]:
    with FakeGitHub(folder / "forge") as fake:
        fake.private = False
        acting = GitHubActing(fake)
        yield _Place(fake, acting, folder)


def _gitlab(folder: Path) -> Iterator[_Place]:
    with FakeGitLab(folder / "forge") as fake:
        fake.public = True
        acting = GitLabActing(fake)
        yield _Place(fake, acting, folder)


_MAKERS: dict[str, Callable[[Path], Iterator[_Place]]] = {"gitea": _gitea, "github": _github, "gitlab": _gitlab}


@pytest.fixture(name="place", params=_MAKERS)
def _place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Place]:
    monkeypatch.delenv("MUNIMENT_FORGE_TOKEN", raising=False)
    yield from _MAKERS[request.param](tmp_path)


@pytest.fixture(name="hub")
def _hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Place]:
    monkeypatch.delenv("MUNIMENT_FORGE_TOKEN", raising=False)
    yield from _github(tmp_path)


def _run(place: _Place, *more: str) -> Result:
    place.fake.requests.clear()
    return CliRunner().invoke(muniment, ["replay", "--forge", place.url, *more], standalone_mode=False)


def _read(place: _Place, *more: str) -> Any:
    result = _run(place, "--format", "json", *more)
    assert result.exception is None, result.exception
    return json.loads(result.stdout)


def test_public_repository_is_replayed_without_a_token(place: _Place) -> None:
    place.merge("bob", "carol")
    place.merge(number=2)
    result = _read(place)
    assert result["change_count"] == 2
    assert result["figures"]["approvals"]["counts"].get("0") == 1
    assert all("authorization" not in request.headers for request in place.fake.requests)


def test_reviews_that_a_forge_hides_are_unknown_and_not_missing(place: _Place) -> None:
    place.merge()
    place.fake.fail("approvals" if isinstance(place.fake, FakeGitLab) else "reviews", Fault.UNAUTHORIZED)
    approval = _read(place)["figures"]["approvals"]
    assert (approval["counts"], approval["unknown"]) == ({}, 1)


def test_assumed_write_access_is_stated_and_never_shown_as_passing(place: _Place) -> None:
    place.merge("bob", "carol")
    result = _run(place)
    assert result.exception is None, result.exception
    assert "Read without a token: who may write and who pushed is assumed" in result.stderr
    assert "PASS      review.two-reviewers" not in result.stdout
    assert "At most " in result.stdout


def test_private_repository_says_that_it_takes_a_token(place: _Place) -> None:
    if isinstance(place.fake, FakeGitHub):
        place.fake.private = True
    elif isinstance(place.fake, FakeGitLab):
        place.fake.public = False
    else:
        del place.fake.repos[place.acting.path]["public"]
    error = _run(place).exception
    assert isinstance(error, ForgeError)
    assert "cannot be read without a token" in error.message
    assert "MUNIMENT_FORGE_TOKEN" in error.remedy


def test_used_up_limit_says_until_when_and_what_helps(place: _Place) -> None:
    place.merge()
    place.fake.fail("repository" if not isinstance(place.fake, FakeGitLab) else "project", Fault.LIMITED_FOR_A_WHILE)
    error = _run(place).exception
    assert isinstance(error, ForgeError)
    assert error.code is ForgeCode.RATE_LIMITED
    assert "few requests without a token, and they are used up until 20" in error.message
    assert "put a token that may read into MUNIMENT_FORGE_TOKEN" in error.remedy


def test_github_is_read_until_few_requests_are_left(hub: _Place) -> None:
    for number in range(1, 8):
        hub.merge(number=number)
    hub.fake.anonymous_left = 14
    result = _run(hub, "--format", "json")
    assert result.exception is None, result.exception
    content = json.loads(result.stdout)
    assert 0 < content["change_count"] < 7
    assert hub.fake.anonymous_left >= 0
    count = content["change_count"]
    assert f"60 requests an hour without a token: the newest {count} of 7 pull requests were read." in result.stderr


def test_github_is_asked_no_graphql_and_one_request_for_a_change_that_nobody_reviewed(hub: _Place) -> None:
    number = hub.merge()
    _read(hub)
    paths = [request.path for request in hub.fake.requests if request.path.startswith("/api/v3/repos")]
    assert [path for path in paths if f"/{number}" in path] == [f"/api/v3/repos/shop/api/pulls/{number}/reviews"]
    assert not [request for request in hub.fake.requests if "graphql" in request.path]


def test_dismissed_and_repeated_reviews_at_github_do_not_count(hub: _Place) -> None:
    work = hub.work
    head = work.commit("ada", {"app.py": "x = 1\n"}, work.tip("main"))
    work.push("ada", head, "topic")
    number = hub.acting.open("ada", "topic", "main", "a topic")
    for name in ("bob", "carol"):
        hub.acting.approve(name, number)
    hub.acting.dismiss("dave", number, "bob")
    hub.acting.merge("bob", number, "squash")
    assert _read(hub)["figures"]["approvals"]["counts"] == {"1": 1}


def test_change_that_was_pointed_elsewhere_at_github_is_unknown(hub: _Place) -> None:
    work = hub.work
    head = work.commit("ada", {"app.py": "x = 1\n"}, work.tip("main"))
    work.push("ada", head, "topic")
    work.push("ada", work.tip("main"), "other")
    number = hub.acting.open("ada", "topic", "other", "a topic")
    hub.acting.approve("bob", number)
    hub.acting.retarget("ada", number, "main")
    hub.acting.merge("bob", number, "squash")
    approval = _read(hub)["figures"]["approvals"]
    assert (approval["counts"], approval["unknown"]) == ({}, 1)


@pytest.mark.parametrize("call", ["reviews", "pull commits", "events"])
def test_unreadable_part_at_github_is_unknown(hub: _Place, call: str) -> None:
    hub.merge("bob", "carol")
    hub.fake.fail(call, Fault.FAILED)
    approval = _read(hub)["figures"]["approvals"]
    assert "2" not in approval["counts"]
    assert approval["unknown"] == 1
