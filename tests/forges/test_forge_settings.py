"""Forge settings for jobs: names and settings, never values; missing information is Unknown with its prerequisite."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from muniment.errors import ForgeCode, ForgeError
from muniment.facts.maybe import Known, Unknown
from muniment.facts.pipeline import ForgeSettings
from muniment.forges.forge import Forge
from muniment.forges.shapes import ForgeRepository, Vendor
from tests.support.forges.acting import GiteaActing
from tests.support.forges.fake_gitea import FakeGitea
from tests.support.forges.fake_github import FakeGitHub
from tests.support.forges.fake_gitlab import FakeGitLab
from tests.support.forges.faulty import Fault
from tests.support.forges.forge_under_test import ForgeUnderTest

NO, YES = Known(False), Known(True)
MORE = {"secrets": "read", "environments": "read", "actions": "read"}


def why(part: Any) -> str:
    assert isinstance(part, Unknown), part
    return part.reason


# GitHub


def of_github(hub: Forge) -> ForgeSettings:
    return hub.reader.read_job_settings(hub.reader.read_repository("shop/api").repository)


def test_github_lists_names_of_all_job_secrets(github: FakeGitHub, hub: Forge) -> None:
    github.permissions |= MORE
    assert of_github(hub) == ForgeSettings("github", Known(()), NO, NO, NO)
    github.secrets = {"": ["TOKEN"], "organisation": ["NPM", "TOKEN"], "production": ["KEY"]}
    assert of_github(hub).secrets == Known(("KEY", "NPM", "TOKEN"))


@pytest.mark.parametrize("taken", MORE)
def test_missing_github_permission_is_named(taken: str, github: FakeGitHub, hub: Forge) -> None:
    github.permissions |= {name: level for name, level in MORE.items() if name != taken}
    github.secrets["production"] = []
    found = of_github(hub)
    assert why(found.secrets).endswith("(it takes the permissions Secrets, Environments and Actions: read)")
    assert (found.job_token_writes, found.unpinned_allowed, found.forks_trusted) == (NO, NO, NO)


def test_weak_github_settings_are_reported(github: FakeGitHub, hub: Forge) -> None:
    github.token_may = "write"
    github.jobs["sha_pinning_required"] = False
    github.forks |= {"run_workflows_from_fork_pull_requests": True, "send_secrets_and_variables": True}
    assert structs.astuple(of_github(hub))[2:] == (YES, YES, YES)
    github.private = False
    assert of_github(hub).forks_trusted == NO


def test_settings_hidden_by_github_are_unknown(github: FakeGitHub, hub: Forge) -> None:
    del github.jobs["sha_pinning_required"]
    assert "whether actions have to be pinned" in why(of_github(hub).unpinned_allowed)
    github.permissions["administration"] = ""
    found = of_github(hub)
    assert all(
        why(part).endswith("Administration: read)")
        for part in (found.job_token_writes, found.unpinned_allowed, found.forks_trusted)
    )


def test_disabled_github_actions_have_no_weak_setting(github: FakeGitHub, hub: Forge) -> None:
    github.token_may, github.jobs = "write", {"enabled": False}
    assert structs.astuple(of_github(hub))[2:] == (NO, NO, NO)


# GitLab


def of_gitlab(lab: Forge) -> ForgeSettings:
    return lab.reader.read_job_settings(lab.reader.read_repository("shop/api").repository)


def test_gitlab_lists_variable_keys_of_project_groups_and_instance(gitlab: FakeGitLab, lab: Forge) -> None:
    gitlab.variables = {"ciVariables": ["TOKEN"], "inheritedCiVariables": ["NPM"], "all": ["TOKEN", "KEY"]}
    assert of_gitlab(lab).secrets == Known(("KEY", "NPM", "TOKEN"))
    asked = [request.body["query"] for request in gitlab.requests if request.path == "/api/graphql"]
    assert asked
    assert not any("value" in query for query in asked)  # the values of variables reach nobody
    assert not any("/variables" in request.path for request in gitlab.requests)


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("ciVariables", "Maintainer"),
        ("inheritedCiVariables", "Maintainer"),
        ("all", "an administrator of the installation"),
    ],
)
def test_variables_hidden_by_gitlab_are_unknown(name: str, needs: str, gitlab: FakeGitLab, lab: Forge) -> None:
    gitlab.variables = {"ciVariables": [], "inheritedCiVariables": [], "all": [], name: None}
    assert needs in why(of_gitlab(lab).secrets)


def test_variable_list_with_further_pages_is_unknown(gitlab: FakeGitLab, lab: Forge) -> None:
    gitlab.page, gitlab.variables = 1, {"ciVariables": ["A", "B"], "inheritedCiVariables": [], "all": []}
    assert "more than" in why(of_gitlab(lab).secrets)


@pytest.mark.parametrize("text", [True, False])
def test_gitlab_settings_are_reported(text: bool, gitlab: FakeGitLab, lab: Forge) -> None:
    gitlab.project["ci_push_repository_for_job_token_allowed"] = text
    gitlab.project["ci_allow_fork_pipelines_to_run_in_parent_project"] = text
    found = of_gitlab(lab)
    assert (found.forge, found.job_token_writes, found.forks_trusted) == ("gitlab", Known(text), Known(text))


def test_settings_hidden_by_gitlab_are_unknown(gitlab: FakeGitLab, lab: Forge) -> None:
    found = of_gitlab(lab)
    assert all(why(part) for part in (found.job_token_writes, found.unpinned_allowed, found.forks_trusted))
    gitlab.project["builds_access_level"] = "disabled"
    assert structs.astuple(of_gitlab(lab))[2:] == (NO, NO, NO)


# Gitea and Forgejo


@pytest.fixture(name="at_gitea")
def _at_gitea(tmp_path: Path) -> Iterator[tuple[FakeGitea, ForgeUnderTest]]:
    with FakeGitea(tmp_path / "fake") as fake:
        yield fake, ForgeUnderTest(GiteaActing(fake.url, fake.administrator), Vendor.GITEA, tmp_path)


def of_gitea(tested: ForgeUnderTest, **changed: str) -> ForgeSettings:
    repository: ForgeRepository = structs.replace(tested.repository, **changed)
    return tested.forge.reader.read_job_settings(repository)


def test_gitea_lists_secret_names_only(at_gitea: tuple[FakeGitea, ForgeUnderTest]) -> None:
    fake, tested = at_gitea
    owner = tested.repository.path.partition("/")[0]
    fake.secrets = {owner: ["NPM"], tested.repository.path: ["TOKEN"]}
    found = of_gitea(tested)
    assert (found.forge, found.secrets, found.forks_trusted) == ("gitea", Known(("NPM", "TOKEN")), NO)
    assert "token" in why(found.job_token_writes)
    assert "pinned" in why(found.unpinned_allowed)
    fake.actions = False
    assert structs.astuple(of_gitea(tested))[2:] == (NO, NO, NO)


def test_user_level_secrets_of_gitea_are_unknown(at_gitea: tuple[FakeGitea, ForgeUnderTest]) -> None:
    fake, tested = at_gitea
    fake.secrets = {}
    assert "is no organisation" in why(of_gitea(tested).secrets)


def test_secrets_hidden_by_gitea_are_unknown(at_gitea: tuple[FakeGitea, ForgeUnderTest]) -> None:
    fake, tested = at_gitea
    fake.fail("organisation's secrets", Fault.FORBIDDEN)
    assert why(of_gitea(tested).secrets).endswith(
        "(it takes an account that administers the repository and owns its organisation)"
    )
    fake.fail("repository", Fault.FAILED)
    with pytest.raises(ForgeError):
        of_gitea(tested)


# deleting


def test_deletes_repository_secret_but_not_organisation_secret(github: FakeGitHub, hub: Forge) -> None:
    repository = hub.reader.read_repository("shop/api").repository
    github.permissions |= MORE | {"secrets": "write"}
    github.secrets = {"": ["TOKEN", "KEPT"], "organisation": ["NPM"]}
    hub.protector.delete_secret(repository, "TOKEN")
    assert github.secrets == {"": ["KEPT"], "organisation": ["NPM"]}
    with pytest.raises(ForgeError) as refused:
        hub.protector.delete_secret(repository, "NPM")
    assert refused.value.code is ForgeCode.NOT_FOUND
    github.permissions["secrets"] = "read"
    with pytest.raises(ForgeError):
        hub.protector.delete_secret(repository, "KEPT")
    assert github.secrets[""] == ["KEPT"]


def test_deletes_project_variable_but_not_one_with_several_scopes(gitlab: FakeGitLab, lab: Forge) -> None:
    repository = lab.reader.read_repository("shop/api").repository
    gitlab.variables |= {"ciVariables": ["TOKEN", "TWICE", "TWICE"], "inheritedCiVariables": ["GROUP"]}
    lab.protector.delete_secret(repository, "TOKEN")
    for name in ("TWICE", "GROUP"):
        with pytest.raises(ForgeError):
            lab.protector.delete_secret(repository, name)
    assert gitlab.variables["ciVariables"] == ["TWICE", "TWICE"]


def test_deletes_secret_of_gitea_repository(at_gitea: tuple[FakeGitea, ForgeUnderTest]) -> None:
    fake, tested = at_gitea
    forge, repository = tested.forge, tested.repository
    fake.secrets[repository.path] = ["TOKEN", "KEPT"]
    forge.protector.delete_secret(repository, "TOKEN")
    assert fake.secrets[repository.path] == ["KEPT"]
    with pytest.raises(ForgeError):
        forge.protector.delete_secret(repository, "NPM")
