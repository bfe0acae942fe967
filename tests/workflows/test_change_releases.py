"""Releases that a change brings: their age by the registry, what they fix, and what is unknown."""

from collections.abc import Callable
from pathlib import Path

import pytest

from muniment.facts.change import Revision, UpdateKind
from muniment.facts.maybe import Known, Unknown
from muniment.facts.update_facts import ChangeReleases, NewRelease
from muniment.git.repository import Repository
from muniment.updates.advisory_index import AdvisoryIndex
from muniment.updates.dependencies import Dependency
from muniment.updates.release_ages import ReleaseAge
from muniment.workflows import change_dependencies, change_releases
from muniment.workflows.change_dependencies import AdvisorySet
from muniment.workflows.change_releases import find_release_ages
from tests.support.advisory_exports import NOW, fixed_in, read_advisory
from tests.support.repos import Repo
from tests.workflows.test_change_dependencies import make_lock

MODERATE = {"severity": "MODERATE"}
INDEX = AdvisoryIndex([read_advisory("CVE-2026-1", events=fixed_in("4.2"), database_specific=MODERATE)])
AT = "2026-01-01T00:00:00.000000Z"


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    made = Repo(tmp_path / "repo")
    made.commit({"uv.lock": make_lock(django="4.1"), "readme.md": "x\n"})
    made.branch("topic", "main")
    return made


@pytest.fixture(autouse=True)
def providers(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Provide ages by name, and have the identifiers that are set count as exploited."""

    def provide(exploited: str) -> None:
        found = AdvisorySet(INDEX, (), frozenset(exploited.split()))
        monkeypatch.setattr(change_dependencies, "_PROVIDERS", [lambda *_: found])

    def find_age(one: Dependency) -> ReleaseAge:
        return ReleaseAge("", "it is gone") if one.name == "lost" else ReleaseAge(AT)

    monkeypatch.setattr(change_releases, "_PROVIDERS", [lambda _now: find_age])
    provide("")
    return provide


def find(repo: Repo) -> ChangeReleases:
    with Repository.open(str(repo.path)) as git:
        base, head = git.resolve_commit("main"), git.resolve_commit("topic")
        revision = Revision("shop", "refs/heads/main", base, head, Known(UpdateKind.FAST_FORWARD))
        found = find_release_ages(git, revision, NOW)
    assert isinstance(found, Known)
    return found.value


def test_only_new_versions_are_releases_and_a_fix_is_one_with_its_severity(repo: Repo) -> None:
    repo.commit({"uv.lock": make_lock(django="4.2", lost="1")}, on="topic")
    assert find(repo) == ChangeReleases(
        1,
        (
            NewRelease("uv.lock", "django", "4.2", AT, fixes="medium"),
            NewRelease("uv.lock", "lost", "1", "", "it is gone"),
        ),
    )


@pytest.mark.parametrize("version", ["4.1.1", "4.1"])
def test_a_version_with_the_same_vulnerability_fixes_nothing(repo: Repo, version: str) -> None:
    repo.commit({"uv.lock": make_lock(django=version, flask="3")}, on="topic")
    assert {each.fixes for each in find(repo).releases} == {""}


def test_a_fix_of_an_exploited_vulnerability_is_marked(repo: Repo, providers: Callable[[str], None]) -> None:
    repo.commit({"uv.lock": make_lock(django="4.2")}, on="topic")
    providers("CVE-2026-2")
    assert [each.is_exploited for each in find(repo).releases] == [False]
    providers("CVE-2026-1")
    assert [each.is_exploited for each in find(repo).releases] == [True]


def test_without_a_provider_ages_are_unknown_and_a_change_of_no_lock_needs_none(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_releases, "_PROVIDERS", [])
    assert find(repo) == ChangeReleases(0)
    repo.commit({"uv.lock": make_lock(django="4.2")}, on="topic")
    with Repository.open(str(repo.path)) as git:
        topic = git.resolve_commit("topic")
        known = Known(UpdateKind.FAST_FORWARD)
        found = find_release_ages(git, Revision("shop", "refs/heads/main", "", topic, known), NOW)
        assert found == Unknown("only the service asks registries for the age of releases")
        broken = find_release_ages(git, Revision("shop", "refs/heads/main", "", "f" * 40, known), NOW)
        assert isinstance(broken, Unknown)


def test_more_releases_than_are_asked_for_are_unknown(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_releases, "MOST_IN_FACT", 1)
    repo.commit({"uv.lock": make_lock(django="4.2", click="8", flask="3")}, on="topic")
    assert [bool(each.published) for each in find(repo).releases] == [True, False]
