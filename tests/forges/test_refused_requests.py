"""Missing permissions of a token are found by one harmless trial of each kind of request."""

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest

from muniment.errors import ForgeCode, ForgeError
from muniment.forges import forge_connection
from muniment.forges.forge import Forge
from muniment.forges.forge_client import Transport
from muniment.forges.shapes import Vendor
from tests.support.forges.acting import GiteaActing
from tests.support.forges.fake_gitea import FakeGitea
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.fake_gitlab import FakeGitLab
from tests.support.forges.faulty import Fault
from tests.support.forges.gitlab_requests import OURS


class ScopedGitea:
    """A Gitea with token scopes, and our account in one of its repositories."""

    def __init__(self, fake: FakeGitea) -> None:
        self.fake = fake
        acting = GiteaActing(fake.url, fake.administrator)
        token = acting.token("muniment")
        connection = forge_connection.Connection(Vendor.GITEA, fake.url, "forge")
        self.forge = forge_connection.connect_forge(
            connection, lambda: token, lambda: "2026-11-24T09:30:00.000000Z", Transport()
        )
        self.repository = self.forge.reader.read_repository(acting.path).repository

    def refused(self) -> dict[str, str]:
        """Refused requests with the permission that each lacks."""
        return {one.request: one.permission for one in self.forge.reader.find_refused_requests(self.repository)}


@pytest.fixture(name="scoped")
def _scoped(tmp_path: Path) -> Iterator[ScopedGitea]:
    with FakeGitea(tmp_path) as fake:
        yield ScopedGitea(fake)


def test_token_with_all_scopes_passes_probe_without_changes(scoped: ScopedGitea) -> None:
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
def test_missing_gitea_scope_is_found_by_probe(
    scoped: ScopedGitea, without: str, request_: str, permission: str
) -> None:
    scoped.fake.scopes.discard(without)
    assert scoped.refused()[request_] == permission


def test_read_only_gitea_token_is_refused_every_write(scoped: ScopedGitea) -> None:
    scoped.fake.scopes = {"read:user", "read:repository", "read:issue", "read:organization"}
    assert set(scoped.refused()) == {"post a status", "write a comment", "protect a branch", "register a webhook"}


def test_revoked_token_is_not_reported_as_missing_scope(scoped: ScopedGitea) -> None:
    scoped.fake.tokens.clear()
    with pytest.raises(ForgeError) as refused:
        scoped.refused()
    assert refused.value.code is ForgeCode.NOT_SIGNED_IN


@pytest.mark.parametrize("fault", [Fault.FAILED, Fault.LIMITED])
def test_probe_with_failed_request_is_not_reported_complete(scoped: ScopedGitea, fault: Fault) -> None:
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
def test_missing_gitlab_scope_or_role_is_named(
    gitlab: FakeGitLab, lab: Forge, scopes: list[str], level: str, missing: dict[str, str]
) -> None:
    repository = lab.reader.read_repository("shop/api").repository
    gitlab.scopes, gitlab.world.levels[OURS] = scopes, level
    found = {one.request: one.permission for one in lab.reader.find_refused_requests(repository)}
    assert missing.items() <= found.items()
    assert bool(found) == bool(missing)


def test_github_app_with_all_permissions_passes_probe(hub: Forge) -> None:
    assert hub.reader.find_refused_requests(hub.reader.read_repository("shop/api").repository) == ()


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
def test_missing_github_app_permission_is_named(github: FakeGitHub, hub: Forge, taken: str, permission: str) -> None:
    del github.permissions[taken]
    repository = hub.reader.read_repository("shop/api").repository
    assert permission in {one.permission for one in hub.reader.find_refused_requests(repository)}
