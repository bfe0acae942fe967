"""What a token may not do is found by trying each kind of request once, which alters nothing at the forge."""

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.errors import ForgeCode, ForgeError
from muniment.forges import connecting
from muniment.forges.forge import Forge
from muniment.forges.http import Transport
from muniment.forges.shapes import Vendor
from tests.support.forges.acting import GiteaActing
from tests.support.forges.fake_gitea import FakeGitea
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.fake_gitlab import FakeGitLab
from tests.support.forges.faulty import Fault
from tests.support.forges.gitlab_requests import OURS


class Scoped:
    """A Gitea whose tokens have scopes, and our account in a repository there."""

    def __init__(self, fake: FakeGitea) -> None:
        self.fake = fake
        acting = GiteaActing(fake.url, fake.administrator)
        token = acting.token("muniment")
        connection = connecting.Connection(Vendor.GITEA, fake.url, "forge")
        self.forge = connecting.connect(connection, lambda: token, lambda: "2026-11-24T09:30:00.000000Z", Transport())
        self.repository = self.forge.reader.repository(acting.path).repository

    def refused(self) -> dict[str, str]:
        """The refused requests, each with the permission that is missing."""
        return {one.request: one.permission for one in self.forge.reader.refused_requests(self.repository)}


@pytest.fixture(name="scoped")
def _scoped(tmp_path: Path) -> Iterator[Scoped]:
    with FakeGitea(tmp_path) as fake:
        yield Scoped(fake)


def test_a_token_with_every_scope_is_refused_nothing_and_nothing_is_altered(scoped: Scoped) -> None:
    before = copy.deepcopy((scoped.fake.rules, scoped.fake.hooked, scoped.fake.marks, list(scoped.fake.pulls)))
    assert scoped.refused() == {}
    assert before == (scoped.fake.rules, scoped.fake.hooked, scoped.fake.marks, list(scoped.fake.pulls))


@pytest.mark.parametrize(
    ("without", "request_", "permission"),
    [
        ("user", "read our own account", "the token's scope read:user"),
        ("repository", "read branches", "the token's scope read:repository"),
        ("repository", "post a status", "the token's scope write:repository"),
        ("issue", "read a pull request's timeline", "the token's scope read:issue"),
        ("issue", "write a comment", "the token's scope write:issue"),
        ("organization", "read the organisation", "the token's scope read:organization"),
    ],
)
def test_a_scope_that_gitea_tells_nowhere_is_found_missing(
    scoped: Scoped, without: str, request_: str, permission: str
) -> None:
    scoped.fake.scopes.discard(without)
    assert scoped.refused()[request_] == permission


def test_a_token_of_gitea_that_may_only_read_is_refused_each_change(scoped: Scoped) -> None:
    scoped.fake.scopes = {"read:user", "read:repository", "read:issue", "read:organization"}
    assert set(scoped.refused()) == {"post a status", "write a comment", "protect a branch", "register a webhook"}


def test_a_token_that_is_none_any_more_is_no_missing_scope(scoped: Scoped) -> None:
    scoped.fake.tokens.clear()
    with pytest.raises(ForgeError) as refused:
        scoped.refused()
    assert refused.value.code is ForgeCode.NOT_SIGNED_IN


@pytest.mark.parametrize("fault", [Fault.FAILED, Fault.LIMITED])
def test_what_could_not_be_tried_is_not_told_as_complete(scoped: Scoped, fault: Fault) -> None:
    scoped.fake.fail("branches", fault)
    with pytest.raises(ForgeError):
        scoped.refused()


@pytest.mark.parametrize(
    ("scopes", "level", "missing"),
    [
        (["api"], "admin", {}),
        (["read_api"], "admin", {"post a status": "the token's scope api", "write a comment": "the token's scope api"}),
        (["api"], "write", {"read branch protection": "the role Maintainer in the project"}),
        (["read_user"], "admin", {"read merge requests": "the token's scope read_api"}),
    ],
)
def test_a_scope_or_a_role_that_gitlab_refuses_is_named(
    gitlab: FakeGitLab, lab: Forge, scopes: list[str], level: str, missing: dict[str, str]
) -> None:
    repository = lab.reader.repository("shop/api").repository
    gitlab.scopes, gitlab.world.levels[OURS] = scopes, level
    found = {one.request: one.permission for one in lab.reader.refused_requests(repository)}
    assert missing.items() <= found.items()
    assert bool(found) == bool(missing)


def test_an_app_with_every_permission_is_refused_nothing(hub: Forge) -> None:
    assert hub.reader.refused_requests(hub.reader.repository("shop/api").repository) == ()


@pytest.mark.parametrize(
    ("taken", "permission"),
    [
        ("checks", "the permission checks: write"),
        ("contents", "the permission contents: read"),
        ("pull_requests", "the permission pull_requests: write"),
        ("statuses", "the permission statuses: read"),
        ("administration", "the permission administration: read"),
    ],
)
def test_a_permission_that_the_app_of_github_lacks_is_named(
    github: FakeGitHub, hub: Forge, taken: str, permission: str
) -> None:
    del github.permissions[taken]
    repository = hub.reader.repository("shop/api").repository
    assert permission in {one.permission for one in hub.reader.refused_requests(repository)}
